package kubeconfig_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/kube-iam/authenticator/internal/kubeconfig"
)

// TestWrite reads the kubeconfig as a kube-apiserver does.
func TestWrite(t *testing.T) {
	t.Parallel()
	const url = "https://localhost:21362/authenticate"
	path := filepath.Join(t.TempDir(), "missing", "kubeconfig.yaml")
	if err := kubeconfig.Write(path, url, &tls.Certificate{Certificate: [][]byte{[]byte("leaf"), []byte("root")}}); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != url {
		t.Errorf("it leads to %s, want %s", config.Host, url)
	}
	trusted, rest := pem.Decode(config.CAData)
	if trusted == nil || !bytes.Equal(trusted.Bytes, []byte("root")) || len(rest) > 0 {
		t.Errorf("it trusts %q, want the last certificate of the chain alone", config.CAData)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
