package kubeconfig_test

import (
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
	if err := kubeconfig.Write(path, url, []byte("the CA"), kubeconfig.Client{}); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != url {
		t.Errorf("it leads to %s, want %s", config.Host, url)
	}
	if string(config.CAData) != "the CA" {
		t.Errorf("it trusts %q", config.CAData)
	}
	if config.CertFile != "" || config.KeyFile != "" {
		t.Errorf("it has the client certificate %q and key %q", config.CertFile, config.KeyFile)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestWriteClient has the kube-apiserver identify itself by files, which it reads again
// when they change. The kubeconfig has no key in it.
func TestWriteClient(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kubeconfig.yaml")
	if err := kubeconfig.Write(path, "https://localhost:21362/authenticate", []byte("the CA"), kubeconfig.Client{Certificate: "/pki/client.crt", Key: "/pki/client.key"}); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if user := config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo]; user.ClientCertificate != "/pki/client.crt" || user.ClientKey != "/pki/client.key" || len(user.ClientCertificateData)+len(user.ClientKeyData) > 0 {
		t.Errorf("the client certificate is %q, its key %q, %d bytes are inline", user.ClientCertificate, user.ClientKey, len(user.ClientCertificateData)+len(user.ClientKeyData))
	}
}
