package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
)

// KindConfig configures the provider [Kind]. Other providers ignore it.
type KindConfig struct {
	// ControlPlanes is the number of control-plane nodes, each with an
	// authenticator. Zero means one.
	ControlPlanes int
	// Nodes is the number of worker nodes. They join through IAM, as on EKS.
	Nodes int
	// NodeImage is the image of the nodes. Empty means KIND_NODE_IMAGE, or else
	// kind's image for KubernetesVersion. If the engine has only an image that
	// `make kind-node-image` built, it means that one.
	NodeImage string
	// KubernetesVersion is a version such as v1.36.3. Empty means the image's.
	KubernetesVersion string
	// Image is the archive of the authenticator's image. Empty means
	// images/authenticator.tar beside this program.
	Image string
	// LocalAWS is the program localaws, which is also the relay. Empty means the
	// one beside this program, or else the one on PATH.
	LocalAWS string
	// Keep keeps the containers of a lab that fails to come up, for inspection.
	Keep bool
}

// kindProvider runs a cluster whose nodes are containers.
type kindProvider struct {
	*Lab
	engine engine
	// dockerHost is the engine's address, from a variable or a Docker context.
	dockerHost string
	name       string
	cluster    *cluster.Provider
	image      authenticatorImage
	network    network
	// made reports whether the lab may have anything in the engine, and nodes whether
	// that may include a cluster.
	made, nodes bool
}

func newKind(l *Lab) *kindProvider {
	k := &kindProvider{Lab: l, name: kindName(l.dir.Path())}
	k.cluster = cluster.NewProvider(cluster.ProviderWithDocker(), cluster.ProviderWithLogger(kindLog{l.progress}))
	return k
}

// kindName returns the name of the cluster of the lab in dir. The names of its
// containers begin with it, so that several labs can run on one engine.
func kindName(dir string) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(dir))
	return fmt.Sprintf("%s-%06x", ClusterName, sum.Sum32()&0xffffff)
}

func (k *kindProvider) stages() []stage {
	stages := []stage{
		{"finding a Docker engine", k.findEngine},
		{"finding the node image", k.findNodeImage},
		{"creating the network " + k.name, k.makeNetwork},
		{"starting local AWS", k.startLocalAWS},
		{"resolving AWS's hostnames to local AWS", k.resolveToLocalAWS},
		{"writing certificates and manifests", k.writeFiles},
		{"creating the cluster " + k.name, k.createCluster},
		{"waiting for the authenticator and the nodes", k.waitUntilReady},
		{"registering cluster " + ClusterName + " in local AWS", k.registerCluster},
		{"writing a kubeconfig with aws eks update-kubeconfig, and signing in with it", k.signInAsOwner},
	}
	return append(stages, k.guardStages()...)
}

func (k *kindProvider) findEngine(ctx context.Context) error {
	if err := k.engine.check(ctx); err != nil {
		return err
	}
	var err error
	if k.dockerHost, err = k.engine.run(ctx, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"); err != nil {
		return fmt.Errorf("finding the engine's address: %w", err)
	}
	if k.config.Kind.LocalAWS, err = findProgram(k.config.Kind.LocalAWS, "localaws"); err != nil {
		return err
	}
	for _, path := range []string{k.dir.Path(), k.config.Authenticator, k.config.Kind.LocalAWS} {
		if strings.Contains(path, ":") {
			return fmt.Errorf("%s cannot be mounted into containers: its path contains a colon (rename or move it)", path)
		}
	}
	k.image, err = readImage(k.config.Kind.Image)
	return err
}

func (k *kindProvider) startLocalAWS(ctx context.Context) error {
	if err := k.startAWS(ctx, k.instances()...); err != nil {
		return err
	}
	return k.createInstanceProfile(ctx)
}

func (k *kindProvider) registerCluster(context.Context) error {
	return k.bindCluster(k.admin.Host, k.admin.CAData)
}

// waitUntilReady waits for the authenticators and for all nodes.
func (k *kindProvider) waitUntilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	var last error
	err := poll(ctx, 250*time.Millisecond, func() bool {
		err := errors.Join(k.authenticatorsReady(ctx), k.nodesReady(ctx))
		if ctx.Err() == nil { // afterwards err would only say that ctx is done
			last = err
		}
		return err == nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%w; the authenticator's log says:\n%s", last, k.authenticatorLog(context.WithoutCancel(ctx)))
	}
	return err
}

func (k *kindProvider) nodesReady(ctx context.Context) error {
	client, err := k.Kubernetes()
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := map[string]bool{}
	for _, node := range nodes.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady {
				ready[node.Name] = condition.Status == corev1.ConditionTrue
			}
		}
	}
	for _, name := range append(k.controlPlanes(), k.workers()...) {
		if !ready[name] {
			return fmt.Errorf("node %s is not ready", name)
		}
	}
	return nil
}

func (k *kindProvider) authenticatorsReady(ctx context.Context) error {
	client, err := k.Kubernetes()
	if err != nil {
		return err
	}
	for _, node := range k.controlPlanes() {
		pod, err := client.CoreV1().Pods(metav1.NamespaceSystem).Get(ctx, authenticatorPod+"-"+node, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !podReady(pod) {
			return fmt.Errorf("pod %s is not ready", pod.Name)
		}
	}
	return nil
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// controlPlanes returns the names that kind gives the control-plane nodes.
func (k *kindProvider) controlPlanes() []string {
	return nodeNames(k.name+"-control-plane", max(1, k.config.Kind.ControlPlanes))
}

// workers returns the names that kind gives the worker nodes.
func (k *kindProvider) workers() []string {
	return nodeNames(k.name+"-worker", k.config.Kind.Nodes)
}

func nodeNames(first string, count int) []string {
	var names []string
	for i := range count {
		name := first
		if i > 0 {
			name += strconv.Itoa(i + 1)
		}
		names = append(names, name)
	}
	return names
}

// restartAuthenticator removes the pods' containers; the kubelets create new ones.
func (k *kindProvider) restartAuthenticator(ctx context.Context, waitReady bool) error {
	for _, node := range k.controlPlanes() {
		if _, err := k.engine.run(ctx, "exec", node, "sh", "-c", "crictl rmp --force $(crictl pods --quiet --name '^"+authenticatorPod+"-')"); err != nil {
			return fmt.Errorf("removing the authenticator's pod: %w", err)
		}
	}
	path := "/healthz"
	if waitReady {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, node := range k.controlPlanes() {
		err := poll(ctx, 100*time.Millisecond, func() bool {
			_, err := k.engine.run(ctx, "exec", node, "curl", "--silent", "--fail", "http://127.0.0.1:21363"+path)
			return err == nil
		})
		if err != nil {
			return fmt.Errorf("waiting for the authenticator on %s: %w; its log says:\n%s", node, err, k.authenticatorLog(context.WithoutCancel(ctx)))
		}
	}
	return nil
}

// post runs curl on the first control-plane node, since only the node itself can
// connect to its loopback address.
func (k *kindProvider) post(ctx context.Context, path string, body []byte) (status int, answer []byte, err error) {
	output, err := k.engine.feed(ctx, bytes.NewReader(body), "exec", "--interactive", k.controlPlanes()[0],
		"curl", "--silent", "--show-error", "--cacert", nodeStateDir+"/cert.pem", "--header", "Content-Type: application/json",
		"--data-binary", "@-", "--write-out", `\n%{http_code}`, k.info.Webhook+path)
	if err != nil {
		return 0, nil, fmt.Errorf("calling the authenticator: %w", err)
	}
	at := strings.LastIndexByte(output, '\n')
	status, err = strconv.Atoi(output[at+1:])
	return status, []byte(output[:max(0, at)]), err
}

// webhookCA reads the files inside of the nodes: they belong to the pods' user.
func (k *kindProvider) webhookCA(ctx context.Context) ([]byte, error) {
	var all []byte
	for _, node := range k.controlPlanes() {
		text, err := k.engine.run(ctx, "exec", node, "cat", nodeStateDir+"/cert.pem")
		if err != nil {
			return nil, err
		}
		if ca := []byte(text + "\n"); !bytes.Contains(all, ca) { // control planes can share one
			all = append(all, ca...)
		}
	}
	return all, nil
}

func (k *kindProvider) authenticatorLog(ctx context.Context) string {
	var all strings.Builder
	for _, node := range k.controlPlanes() {
		text, err := k.engine.run(ctx, "exec", node, "sh", "-c", "tail -n 10 /var/log/pods/kube-system_"+authenticatorPod+"-*/*/*.log")
		if err != nil {
			text = err.Error()
		}
		fmt.Fprintf(&all, "%s\n", text)
	}
	return strings.TrimSpace(all.String())
}

// stop removes the cluster and its network, or keeps them for inspection.
func (k *kindProvider) stop() error {
	k.network.close()
	if !k.made {
		return nil
	}
	if k.nodes && !k.info.Running && !k.gaveUp {
		k.collectLogs()
		if k.config.Kind.Keep {
			k.progress("keeping the containers of %s; lab down removes them", k.name)
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return removeKind(ctx, k.dir, k.config.Progress)
}

// collectLogs writes the logs of a cluster that failed to come up.
func (k *kindProvider) collectLogs() {
	dir := k.path(kindDir, "logs")
	if err := k.cluster.CollectLogs(k.name, dir); err != nil {
		k.progress("collecting the nodes' logs: %v", err)
		return
	}
	k.progress("the nodes' logs are in %s", dir)
}

const (
	// kindDir, in the lab's directory, holds the provider's files.
	kindDir = "kind"
	// leftoverFile says what the lab has in which engine. It exists from before
	// anything is created there until after all of it is removed.
	leftoverFile = kindDir + "/made.json"
)

// A leftover is what a killed lab may have left in an engine.
type leftover struct {
	Name string `json:"name"`
	// DockerHost is the engine's address. `lab down` may run with another default.
	DockerHost string `json:"dockerHost"`
}

// declare writes the leftoverFile, before anything is created in the engine.
func (k *kindProvider) declare() error {
	if err := k.dir.Mkdir(kindDir); err != nil {
		return fmt.Errorf("making the cluster's directory: %w", err)
	}
	text, err := json.Marshal(leftover{k.name, k.dockerHost})
	if err != nil {
		return err
	}
	if err := k.dir.WriteFile(leftoverFile, text, 0o600); err != nil {
		return fmt.Errorf("recording what the lab creates in the engine: %w", err)
	}
	k.made = true
	return nil
}

// disown removes the leftoverFile: what has our name in the engine is not ours to
// remove.
func (k *kindProvider) disown() error {
	k.made = false
	return k.dir.RemoveAll(leftoverFile)
}

// leftoverOf returns what the last lab in dir may have left in an engine. It reports
// whether there is anything: another provider leaves nothing.
func leftoverOf(dir *private.Dir) (left leftover, ok bool, err error) {
	text, err := dir.ReadFile(leftoverFile)
	if errors.Is(err, fs.ErrNotExist) {
		return left, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &left)
	}
	if err != nil {
		return left, false, fmt.Errorf("reading what the lab has created in the engine, %s: %w", dir.Path(leftoverFile), err)
	}
	return left, true, nil
}

// removeKind removes from the engine what the lab in dir has created there.
func removeKind(ctx context.Context, dir *private.Dir, progress io.Writer) error {
	left, ok, err := leftoverOf(dir)
	if err != nil || !ok {
		return err
	}
	fmt.Fprintf(progress, "lab: removing cluster %s and its network\n", left.Name)
	e := engine{left.DockerHost}
	if err := e.remove(ctx, kindLabel+"="+left.Name, labLabel+"="+left.Name); err != nil {
		return fmt.Errorf("removing cluster %s (the engine at %s must be running): %w", left.Name, left.DockerHost, err)
	}
	return dir.RemoveAll(leftoverFile)
}

const (
	// kindLabel is the label of kind's containers.
	kindLabel = "io.x-k8s.kind.cluster"
	// labLabel is the label of the lab's other containers and networks.
	labLabel = "kube-iam.lab"
)

// poll calls done until it returns true, at once and then at every interval.
func poll(ctx context.Context, every time.Duration, done func() bool) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
