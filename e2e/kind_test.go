//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kube-iam/authenticator/internal/lab"
)

// onKind skips a story that needs nodes where there are none.
func onKind(t *testing.T) {
	t.Helper()
	if provider := suite.Info().Provider; provider != lab.Kind {
		t.Skipf("provider %s has no nodes: this is a story of PROVIDER=%s", provider, lab.Kind)
	}
}

// A node is a container of the same name.
type node struct {
	t      *testing.T
	client kubernetes.Interface
	name   string
}

// nodesOf a lab: those of the control plane, and the workers.
func nodesOf(t *testing.T, l *lab.Lab) (controlPlanes, workers []node) {
	t.Helper()
	client, err := l.Kubernetes()
	if err != nil {
		t.Fatal(err)
	}
	found, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range found.Items {
		n := node{t, client, object.Name}
		if _, ok := object.Labels["node-role.kubernetes.io/control-plane"]; ok {
			controlPlanes = append(controlPlanes, n)
		} else {
			workers = append(workers, n)
		}
	}
	return controlPlanes, workers
}

// controlPlane and worker are the suite's only ones.
func controlPlane(t *testing.T) node {
	t.Helper()
	planes, _ := nodesOf(t, suite)
	return planes[0]
}

func worker(t *testing.T) node {
	t.Helper()
	_, workers := nodesOf(t, suite)
	return workers[0]
}

// tryDocker runs a command of the engine that the nodes are containers of.
func tryDocker(stdin io.Reader, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "docker", arguments...)
	command.Stdin = stdin
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("$ docker %s …\n%s%w", strings.Join(arguments[:min(3, len(arguments))], " "), output, err)
	}
	return strings.TrimSpace(string(output)), err
}

func docker(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := tryDocker(nil, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// containersOf a cluster, and its networks, in the engine.
func containersOf(t *testing.T, cluster string) string {
	t.Helper()
	return docker(t, "ps", "--all", "--quiet", "--filter", "name="+cluster) + docker(t, "network", "ls", "--quiet", "--filter", "name="+cluster)
}

// try a command on the node.
func (n node) try(command ...string) (string, error) {
	return tryDocker(nil, append([]string{"exec", n.name}, command...)...)
}

// run a command on the node; it must succeed.
func (n node) run(command ...string) string {
	n.t.Helper()
	output, err := n.try(command...)
	if err != nil {
		n.t.Fatal(err)
	}
	return output
}

// decode what a command on the node prints.
func (n node) decode(into any, command ...string) {
	n.t.Helper()
	output := n.run(command...)
	if err := json.Unmarshal([]byte(output), into); err != nil {
		n.t.Fatalf("%s: %q is not JSON: %v", n.name, output, err)
	}
}

// load an archive's image into the node, as kind load does.
func (n node) load(archive string) {
	n.t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		n.t.Fatal(err)
	}
	defer file.Close()
	if _, err := tryDocker(file, "exec", "--interactive", n.name, "ctr", "--namespace=k8s.io", "images", "import", "-"); err != nil {
		n.t.Fatal(err)
	}
}

// ready reports whether the node is, as far as kube-apiserver knows.
func (n node) ready() bool {
	object, err := n.client.CoreV1().Nodes().Get(context.Background(), n.name, metav1.GetOptions{})
	if err != nil {
		return false
	}
	for _, condition := range object.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// readySince reports whether the kubelet has said so after a moment.
func (n node) readySince(moment time.Time) bool {
	lease, err := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(context.Background(), n.name, metav1.GetOptions{})
	return err == nil && lease.Spec.RenewTime != nil && lease.Spec.RenewTime.After(moment) && n.ready()
}

// authenticator is the node's authenticator, as kube-apiserver knows it.
func (n node) authenticator() (*corev1.Pod, error) {
	return n.client.CoreV1().Pods(metav1.NamespaceSystem).Get(context.Background(), "aws-iam-authenticator-"+n.name, metav1.GetOptions{})
}

// killAuthenticator kills its container and answers which that was.
func (n node) killAuthenticator() (container string) {
	n.t.Helper()
	container = n.authenticatorContainer()
	if container == "" {
		n.t.Fatalf("no authenticator runs on %s", n.name)
	}
	n.run("crictl", "stop", "--timeout", "0", container)
	return container
}

// authenticatorContainer is the one that runs, or none.
func (n node) authenticatorContainer() string {
	n.t.Helper()
	return n.run("crictl", "ps", "--quiet", "--name", "^aws-iam-authenticator$")
}

// authenticatorServes reports whether the node's authenticator answers, and has
// read aws-auth.
func (n node) authenticatorServes() bool {
	_, err := n.try("curl", "--silent", "--fail", "http://127.0.0.1:21363/readyz")
	return err == nil
}
