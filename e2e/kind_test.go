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

	"github.com/kube-iam/authenticator/pkg/lab"
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

// nodesOf returns a lab's control plane nodes and its workers.
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

// controlPlane and worker return the suite's only ones.
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

// tryDocker runs docker against the engine of the nodes.
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

// containersOf returns a cluster's containers and networks.
func containersOf(t *testing.T, cluster string) string {
	t.Helper()
	return docker(t, "ps", "--all", "--quiet", "--filter", "name="+cluster) + docker(t, "network", "ls", "--quiet", "--filter", "name="+cluster)
}

// try runs a command on the node.
func (n node) try(command ...string) (string, error) {
	return tryDocker(nil, append([]string{"exec", n.name}, command...)...)
}

// run runs a command on the node; it must succeed.
func (n node) run(command ...string) string {
	n.t.Helper()
	output, err := n.try(command...)
	if err != nil {
		n.t.Fatal(err)
	}
	return output
}

// decode decodes the JSON that a command on the node prints.
func (n node) decode(into any, command ...string) {
	n.t.Helper()
	output := n.run(command...)
	if err := json.Unmarshal([]byte(output), into); err != nil {
		n.t.Fatalf("%s: %q is not JSON: %v", n.name, output, err)
	}
}

// load loads an archive's image into the node, as kind load does.
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

// ready reports whether kube-apiserver lists the node as ready.
func (n node) ready() bool { return n.readiness() == corev1.ConditionTrue }

// readiness returns the status of the node's condition Ready; empty if it is not known.
func (n node) readiness() corev1.ConditionStatus {
	object, err := n.client.CoreV1().Nodes().Get(context.Background(), n.name, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	for _, condition := range object.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status
		}
	}
	return ""
}

// readySince reports whether the kubelet has reported ready after a time.
func (n node) readySince(moment time.Time) bool {
	lease, err := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(context.Background(), n.name, metav1.GetOptions{})
	return err == nil && lease.Spec.RenewTime != nil && lease.Spec.RenewTime.After(moment) && n.ready()
}

// authenticator returns the node's authenticator pod, as in kube-apiserver.
func (n node) authenticator() (*corev1.Pod, error) {
	return n.client.CoreV1().Pods(metav1.NamespaceSystem).Get(context.Background(), "aws-iam-authenticator-"+n.name, metav1.GetOptions{})
}

// killAuthenticator kills its container and returns the container's ID.
func (n node) killAuthenticator() (container string) {
	n.t.Helper()
	container = n.authenticatorContainer()
	if container == "" {
		n.t.Fatalf("no authenticator runs on %s", n.name)
	}
	n.run("crictl", "stop", "--timeout", "0", container)
	return container
}

// authenticatorContainer returns the running container, if any.
func (n node) authenticatorContainer() string {
	n.t.Helper()
	return n.run("crictl", "ps", "--quiet", "--name", "^aws-iam-authenticator$")
}

// authenticatorServes reports whether the node's authenticator answers and has read
// aws-auth.
func (n node) authenticatorServes() bool {
	_, err := n.try("curl", "--silent", "--fail", "http://127.0.0.1:21363/readyz")
	return err == nil
}
