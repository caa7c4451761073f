//go:build e2e

// Package webhook runs a webhook server as a program, with a stand-in for STS, for tests.
package webhook

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/kube-iam/authenticator/internal/freeport"
	"github.com/kube-iam/authenticator/internal/loadtest/program"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

// NewSTS returns a stand-in for STS until the test ends.
func NewSTS(t *testing.T) *sts.Standin {
	t.Helper()
	standin, err := sts.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standin.Close(); err != nil {
			t.Error(err)
		}
	})
	return standin
}

// A Server is a webhook server that can be run. It trusts the STS alone.
type Server struct {
	Name, Program string
	STS           *sts.Standin
	// State is the directory of its files, Log among them, and Address where it listens.
	State, Address string
}

// New returns a server that listens on a free port.
func New(t *testing.T, name, path string, standin *sts.Standin) *Server {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return &Server{Name: name, Program: path, STS: standin, State: t.TempDir(), Address: address}
}

// Log is the file of its log.
func (s *Server) Log() string { return filepath.Join(s.State, s.Name+".log") }

// Run runs the server with more flags until the test ends, and returns when it answers.
func (s *Server) Run(t *testing.T, flags ...string) *program.Server {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := s.STS.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(s.State, "sts-ca.pem")
	if err := os.WriteFile(ca, s.STS.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	running, err := program.Serve(t.Context(), s.Name, s.Address, s.State, program.Command{
		Path: s.Program,
		Args: append([]string{
			"server", "--address", "127.0.0.1", "--port", port,
			"--state-dir", s.State, "--generate-kubeconfig", filepath.Join(s.State, "kubeconfig.yaml"),
		}, flags...),
		Env: []string{
			"HOME=" + s.State, "PATH=" + os.Getenv("PATH"), "AWS_REGION=" + sts.Region, "HTTPS_PROXY=" + proxy, "NO_PROXY=127.0.0.1",
			"SSL_CERT_FILE=" + ca, "SSL_CERT_DIR=" + s.State,
			"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Stop)
	return running
}
