//go:build e2e

package compare

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/e2e/internal/apiserver"
	"github.com/kube-iam/authenticator/e2e/internal/webhook"
	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

const (
	clusterID = "compared"

	ours = "ours"
	peer = "peer"
)

// A fixture is what all cases share: one STS, one API server, and the programs.
type fixture struct {
	dir, root  string
	sts        *sts.Standin
	reviews    review.Maker
	kubernetes *apiserver.Server
	keys       int
	// pairs counts the answers compared.
	pairs int
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{dir: t.TempDir(), root: root}
	for _, path := range []string{f.program(ours), f.program(peer)} {
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%v (make e2e builds it)", err)
		}
	}
	f.sts = webhook.NewSTS(t)
	f.kubernetes = apiserver.Start(t, filepath.Join(root, "bin", "k8s"), "")
	definition := filepath.Join(root, "deploy", "kubernetes", "components", "crd", "definition.yaml")
	f.kubernetes.Kubectl(t, "", "apply", "--filename", definition)
	f.kubernetes.Kubectl(t, "", "wait", "--for=condition=Established", "--filename", definition)
	return f
}

func (f *fixture) program(name string) string {
	if name == ours {
		return filepath.Join(f.root, "bin", "authenticator")
	}
	return filepath.Join(f.root, "bin", "bench", "aws-iam-authenticator")
}

// newKey returns the access key ID of an identity.
func (f *fixture) newKey(identity sts.Identity) string {
	f.keys++
	key := fmt.Sprintf("AKIACOMPARED%08d", f.keys)
	f.sts.Know(key, identity)
	return key
}

func (f *fixture) write(t *testing.T, name, content string) (path string) {
	t.Helper()
	path = filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A server is one of the two, with its mappings.
type server struct {
	name, url, log string
	client         *http.Client
}

// put puts the input of a backend where the servers read it, and returns the
// configuration file for them.
func (f *fixture) put(t *testing.T, b backend) (config string) {
	t.Helper()
	config = "clusterID: " + clusterID + "\nserver:\n  backendMode: [" + b.name + "]\n" + indent(b.config) + "\n"
	switch b.name {
	case mountedFile:
		config += indent(b.input) + "\n"
	case configMap:
		f.kubernetes.Kubectl(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: aws-auth, namespace: kube-system}\ndata:\n"+indent(b.input)+"\n", "replace", "--force", "-f", "-")
	case dynamicFile:
		config += "  dynamicfilepath: " + f.write(t, "access-entries.json", b.input) + "\n"
	case crd:
		f.kubernetes.Kubectl(t, "", "delete", "iamidentitymappings.iamauthenticator.k8s.aws", "--all")
		f.kubernetes.Kubectl(t, b.input, "create", "-f", "-")
	}
	return f.write(t, "config.yaml", config)
}

// serve starts a server on a backend until the test ends.
func (f *fixture) serve(t *testing.T, name string, b backend, config string) *server {
	t.Helper()
	flags := []string{"--config", config}
	if b.name == configMap || b.name == crd {
		flags = append(flags, "--kubeconfig", f.kubernetes.Kubeconfig)
	}
	if name == ours {
		flags = append(flags, "--health-port", "0") // the peer has no such flag
	} else {
		flags = append(flags, b.peerFlags...)
	}
	running := webhook.New(t, name, f.program(name), f.sts)
	running.Run(t, flags...)
	// Both have self-signed certificates.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: time.Minute}
	t.Cleanup(client.CloseIdleConnections)
	return &server{name: name, url: "https://" + running.Address, log: running.Log(), client: client}
}

// awaitLog waits until the log of a server has a text.
func (s *server) awaitLog(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(s.logged(t), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log of the %s has no %q:\n%s", s.name, text, s.logged(t))
		}
	}
}

// logged returns the end of the log.
func (s *server) logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[max(0, len(text)-4096):])
}
