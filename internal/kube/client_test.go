package kube_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/kube"
)

const kubeconfig = `
apiVersion: v1
kind: Config
clusters:
- name: c
  cluster: {server: "https://10.0.0.1:6443", certificate-authority: pki/ca.crt}
- name: other
  cluster: {server: "https://10.0.0.2:6443", certificate-authority: pki/none.crt}
users:
- name: u
  user: {tokenFile: pki/token}
contexts:
- name: c
  context: {cluster: c, user: u}
current-context: c
`

func TestRESTConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(at("pki"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("pki/ca.crt", "a certificate")
	write("pki/token", "a token")
	write("kubeconfig", kubeconfig)
	write("broken", "clusters: [")
	write("without-context", strings.Replace(kubeconfig, "current-context: c", "current-context: none", 1))
	write("without-token", strings.Replace(kubeconfig, "pki/token", "pki/none", 1))
	write("of-a-directory", strings.Replace(kubeconfig, "pki/ca.crt", "pki", 1))

	config, err := kube.RESTConfig(t.Context(), at("kubeconfig"), "")
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://10.0.0.1:6443" || config.CAFile != at("pki/ca.crt") || config.BearerTokenFile != at("pki/token") {
		t.Errorf("host %q, CA %q, token %q", config.Host, config.CAFile, config.BearerTokenFile)
	}
	if config, err = kube.RESTConfig(t.Context(), at("kubeconfig"), "https://10.0.0.3"); err != nil || config.Host != "https://10.0.0.3" || config.CAFile == "" {
		t.Errorf("with a URL: %+v, %v", config, err)
	}
	if config, err = kube.RESTConfig(t.Context(), "", "http://10.0.0.3"); err != nil || config.Host != "http://10.0.0.3" {
		t.Errorf("with only a URL: %+v, %v", config, err)
	}
	for name, want := range map[string]string{
		"nowhere":         "no such file",
		"pki":             "is a directory",
		"broken":          "broken: ",
		"without-context": "none",
		"without-token":   "pki/none: no such file",
		"of-a-directory":  "pki is a directory",
	} {
		if _, err := kube.RESTConfig(t.Context(), at(name), ""); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "reading the kubeconfig of the API server: ") {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
