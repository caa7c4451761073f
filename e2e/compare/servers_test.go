//go:build e2e

package compare

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/e2e/internal/apiserver"
	"github.com/kube-iam/authenticator/internal/freeport"
	"github.com/kube-iam/authenticator/internal/loadtest/program"
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
	if f.sts, err = sts.New(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.sts.Close(); err != nil {
			t.Error(err)
		}
	})
	f.write(t, "ca.pem", string(f.sts.CA()))
	f.kubernetes = apiserver.Start(t, filepath.Join(root, "bin", "k8s"))
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
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := f.sts.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	command := program.Command{
		Path: f.program(name),
		Args: []string{
			"server", "--config", config, "--address", "127.0.0.1", "--port", port,
			"--state-dir", state, "--generate-kubeconfig", filepath.Join(state, "kubeconfig.yaml"),
		},
		Env: []string{
			"HOME=" + state, "PATH=" + os.Getenv("PATH"), "AWS_REGION=" + sts.Region, "HTTPS_PROXY=" + proxy, "NO_PROXY=127.0.0.1",
			"SSL_CERT_FILE=" + filepath.Join(f.dir, "ca.pem"), "SSL_CERT_DIR=" + f.dir,
			"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		},
	}
	if b.name == configMap || b.name == crd {
		command.Args = append(command.Args, "--kubeconfig", f.kubernetes.Kubeconfig)
	}
	if name == ours {
		command.Args = append(command.Args, "--health-port", "0") // the peer has no such flag
	} else {
		command.Args = append(command.Args, b.peerFlags...)
	}
	running, err := program.Serve(t.Context(), name, address, state, command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Stop)
	// Both have self-signed certificates.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: time.Minute}
	t.Cleanup(client.CloseIdleConnections)
	return &server{name: name, url: "https://" + address, log: filepath.Join(state, name+".log"), client: client}
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
