//go:build e2e

// Package byhand creates a kind cluster with the commands of deploy/kind.
package byhand

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/e2e/internal/document"
	"github.com/kube-iam/authenticator/internal/freeport"
)

// TestDocumentedCommands runs the commands of deploy/kind/README.md as typed, one
// after the other in one shell at the root of the repository. The cluster has
// another name, and the local AWS another address, than the reader's.
func TestDocumentedCommands(t *testing.T) {
	if os.Getenv("PROVIDER") != "kind" {
		t.Skip("PROVIDER=kind makes clusters of kind")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("byhand-%d", os.Getpid())
	script := documented(t, filepath.Join(root, "deploy", "kind"))
	script = otherwise(t, name).Replace(script)
	leaveNothing(t, filepath.Join(root, "deploy", "kind"), name)

	output := document.Run(t, script, root, environment(t, root))
	for words, times := range map[string]int{
		`Username +kubedemy\n`:                                                   2, // from update-kubeconfig, and from its replacement for the real AWS
		`Groups +\[system:masters system:authenticated\]\n`:                      2,
		`Extra: arn +\[arn:aws:iam::231144931069:user/kubedemy\]\n`:              2,
		`operation=eks:DescribeCluster .*caller=arn:aws:iam::.*:user/kubedemy\n`: 1,
	} {
		if got := len(regexp.MustCompile(words).FindAllString(output, -1)); got != times {
			t.Errorf("%q is said %d times, want %d", words, got, times)
		}
	}
	if left := containers(t, name); left != "" {
		t.Errorf("after the cleaning there are the containers %q", left)
	}
	if t.Failed() {
		t.Logf("%s", output)
	}
}

// documented returns the commands in a directory's README.md for a user like this
// one.
func documented(t *testing.T, dir string) string {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	notOurs := "sed -i" // runs the pod as a user other than root
	if os.Getuid() != 0 {
		notOurs = "chown"
	}
	var script strings.Builder
	for _, block := range strings.Split(string(document), "\n```sh\n")[1:] {
		if commands, _, _ := strings.Cut(block, "```\n"); !strings.HasPrefix(commands, notOurs) {
			script.WriteString(commands)
		}
	}
	return script.String()
}

// otherwise returns how the commands differ from the README's.
func otherwise(t *testing.T, name string) *strings.Replacer {
	t.Helper()
	create := "kind create cluster --name " + name
	if image := nodeImage(t); image != "" {
		create += " --image " + image
	}
	place := " --listen " + freeAddress(t) + " --state-dir " + t.TempDir()
	_, port, _ := net.SplitHostPort(freeAddress(t))
	return strings.NewReplacer(
		"kind create cluster", create,
		"kind delete cluster --name kubedemy", "kind delete cluster --name "+name,
		"authenticator.tar --name kubedemy", "authenticator.tar --name "+name,
		"kubedemy-control-plane", name+"-control-plane",
		"kubedemy-aws", name+"-aws",
		"kind-kubedemy", "kind-"+name,
		"localaws serve", "localaws serve"+place,
		"localaws env", "localaws env"+place,
		":4567", ":"+port,
	)
}

// nodeImage returns the requested image, or the one built here; empty means kind's.
func nodeImage(t *testing.T) string {
	t.Helper()
	if image := os.Getenv("KIND_NODE_IMAGE"); image != "" {
		return image
	}
	newest, _, _ := strings.Cut(docker(t, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "kube-iam/kind-node"), "\n")
	return newest
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// environment has Debian's AWS CLI and the kubectl of the control plane's version.
func environment(t *testing.T, root string) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink("/usr/bin/aws", filepath.Join(dir, "aws")); err != nil {
		t.Fatal(err)
	}
	path := []string{dir, filepath.Join(root, "bin", "k8s"), os.Getenv("PATH")}
	// Not the variables of the make that runs this test.
	return append(os.Environ(), "MAKEFLAGS=", "AWS_PAGER=", "PATH="+strings.Join(path, string(os.PathListSeparator)))
}

// leaveNothing removes the cluster when the test ends, and never a cluster of the
// reader.
func leaveNothing(t *testing.T, dir, name string) {
	t.Helper()
	manifest := filepath.Join(dir, "manifests", "authenticator.yaml")
	content, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	made := []string{filepath.Join(dir, "run"), filepath.Join(dir, "kubeconfig")}
	for _, path := range made {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s is of another cluster, which is to be cleaned up first: %v", path, err)
		}
	}
	t.Cleanup(func() {
		if left := containers(t, name); left != "" {
			docker(t, append([]string{"rm", "--force", "--volumes"}, strings.Fields(left)...)...)
		}
		for _, path := range made {
			if err := os.RemoveAll(path); err != nil {
				t.Error(err)
			}
		}
		if err := os.WriteFile(manifest, content, 0o644); err != nil {
			t.Error(err)
		}
	})
}

// containers returns the IDs of the containers with the cluster's name in theirs.
func containers(t *testing.T, name string) string {
	t.Helper()
	return docker(t, "ps", "--all", "--quiet", "--filter", "name=^"+name+"-")
}

func docker(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := exec.Command("docker", arguments...).Output()
	if err != nil {
		t.Fatalf("docker %s: %v", arguments[0], err)
	}
	return strings.TrimSpace(string(output))
}
