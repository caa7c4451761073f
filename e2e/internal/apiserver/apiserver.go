//go:build e2e

// Package apiserver runs a real kube-apiserver for tests that need no more of a lab.
package apiserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const killAfter = 5 * time.Second

// A Server is a kube-apiserver with its etcd.
type Server struct {
	// Kubeconfig is the path of an administrator's kubeconfig.
	Kubeconfig string

	assets string
	plane  *envtest.ControlPlane
}

// Start starts a kube-apiserver until the test ends. Assets is the directory of its
// programs, bin/k8s. A webhook is the path of the kubeconfig of its token webhook; it may
// be empty.
func Start(t *testing.T, assets, webhook string) *Server {
	t.Helper()
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		t.Fatalf("%v (make e2e builds it)", err)
	}
	s := &Server{assets: assets, plane: &envtest.ControlPlane{
		Etcd: &envtest.Etcd{Path: filepath.Join(assets, "etcd"), StartTimeout: time.Minute},
		APIServer: &envtest.APIServer{
			Path: filepath.Join(assets, "kube-apiserver"), StartTimeout: 2 * time.Minute, StopTimeout: killAfter,
			CertDir: t.TempDir(), // a restarted server keeps its certificates
		},
	}}
	if webhook != "" {
		s.plane.APIServer.Configure().Append("authentication-token-webhook-config-file", webhook).
			Append("authentication-token-webhook-version", "v1").Append("authentication-token-webhook-cache-ttl", "1s")
	}
	if err := s.plane.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	admin, err := s.plane.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := admin.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	s.Kubeconfig = filepath.Join(t.TempDir(), "admin.yaml")
	if err := os.WriteFile(s.Kubeconfig, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// Kill ends the kube-apiserver, by SIGKILL if it still waits for its watchers after
// killAfter. Its etcd goes on.
func (s *Server) Kill(t *testing.T) {
	t.Helper()
	if err := s.plane.APIServer.Stop(); err != nil {
		t.Logf("ending kube-apiserver: %v", err)
	}
}

// StartAgain starts the kube-apiserver again, at the same address, and returns when it
// is healthy.
func (s *Server) StartAgain(t *testing.T) {
	t.Helper()
	if err := s.plane.APIServer.Start(); err != nil {
		t.Fatal(err)
	}
}

// Kubectl runs kubectl as the administrator.
func (s *Server) Kubectl(t *testing.T, stdin string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(s.assets, "kubectl"), append([]string{"--kubeconfig", s.Kubeconfig}, arguments...)...)
	command.Stdin = strings.NewReader(stdin)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s%s", strings.Join(arguments, " "), err, output, stdin)
	}
}
