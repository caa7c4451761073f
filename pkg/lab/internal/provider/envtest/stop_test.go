package envtest

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// playVariable makes the test's program play a kube-apiserver.
const playVariable = "ENVTEST_TEST_APISERVER"

func TestMain(m *testing.M) {
	if os.Getenv(playVariable) == "" {
		os.Exit(m.Run())
	}
	if err := playAPIServer(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// playAPIServer is a kube-apiserver whose clients watch: it does not end at SIGTERM.
func playAPIServer(arguments []string) error {
	signal.Ignore(syscall.SIGTERM)
	values := map[string]string{}
	for _, argument := range arguments {
		name, value, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
		values[name] = value
	}
	if _, help := values["help"]; help {
		return nil
	}
	certificates := values["cert-dir"]
	pair, err := tls.LoadX509KeyPair(filepath.Join(certificates, "apiserver.crt"), filepath.Join(certificates, "apiserver.key"))
	if err != nil {
		return err
	}
	server := http.Server{
		Addr:              net.JoinHostPort(values["bind-address"], values["secure-port"]),
		Handler:           http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}},
		ReadHeaderTimeout: time.Minute,
	}
	return server.ListenAndServeTLS("", "")
}

// TestStopOfABusyAPIServer ends a kube-apiserver that does not end by itself, as when a
// client watches, and starts it again at its address.
func TestStopOfABusyAPIServer(t *testing.T) {
	t.Setenv(playVariable, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	plane := &controlPlane{}
	plane.Etcd = &envtest.Etcd{}
	plane.APIServer = &envtest.APIServer{
		Path: self, CertDir: t.TempDir(), StopTimeout: 50 * time.Millisecond,
		EtcdURL: &url.URL{Scheme: "http", Host: "127.0.0.1:1"},
	}
	for range 2 {
		if err := plane.APIServer.Start(); err != nil {
			t.Fatal(err)
		}
		if err := plane.stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	}
}
