package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	"sigs.k8s.io/yaml"

	manifests "github.com/kube-iam/authenticator/deploy/kind"
	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

const (
	// authenticatorPod is the name of the static pod, without the node's name.
	authenticatorPod = "aws-iam-authenticator"
	// nodeStateDir is the directory of the authenticator's files on a control-plane node.
	nodeStateDir = "/etc/kubernetes/aws-iam-authenticator"
	// nodeAccessDir is the directory of the files of access entries there, and in the pod.
	nodeAccessDir = "/etc/kubernetes/eks-access-entries"
)

// writeFiles writes the files that are mounted into nodes.
func (c *Cluster) writeFiles(ctx context.Context) error {
	if err := c.spec.InitAuthenticator(ctx, webhook); err != nil {
		return err
	}
	if c.config.Image == "" {
		if err := c.assembleImage(); err != nil {
			return err
		}
	}
	ca, err := newClusterCA(time.Now())
	if err != nil {
		return err
	}
	caKey, err := ca.keyPEM()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		Dir + "/ca.crt": ca.certificatePEM(),
		Dir + "/ca.key": caKey,
		provider.AuthenticatorDir + "/aws-ca.pem": c.spec.AWS.CA(),
	} {
		if err := c.writeFile(name, string(content), 0o600); err != nil {
			return err
		}
	}
	certificate, key, err := ca.client(provider.AuthenticatorUser, time.Now())
	if err != nil {
		return err
	}
	if err := kubeconfig.WriteCertificate(c.spec.Dir, provider.AuthenticatorKubeconfig, "authenticator", &rest.Config{
		Host:            c.internalEndpoint(),
		TLSClientConfig: rest.TLSClientConfig{CAData: ca.certificatePEM(), CertData: certificate, KeyData: key},
	}); err != nil {
		return err
	}
	if err := c.writeWorkerFiles(ca.certificatePEM()); err != nil {
		return err
	}
	if err := c.writeStaticPod(c.image.name); err != nil {
		return err
	}
	return c.giveToAuthenticator()
}

// internalEndpoint returns the URL at which nodes find the API server.
func (c *Cluster) internalEndpoint() string {
	host := c.controlPlanes()[0]
	if len(c.controlPlanes()) > 1 {
		host = c.name + "-external-load-balancer"
	}
	return "https://" + host + ":6443"
}

// writeStaticPod writes the authenticator's static pod: the one of deploy/kind, with
// the lab's image and configuration.
func (c *Cluster) writeStaticPod(image string) error {
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict([]byte(manifests.Authenticator), &pod); err != nil {
		return fmt.Errorf("reading the authenticator's static pod: %w", err)
	}
	container := &pod.Spec.Containers[0]
	container.Image = image
	container.Args = append(container.Args, "--cluster-owner-arn="+c.spec.Owner)
	container.Args = append(container.Args, provider.AccessArguments(nodeAccessDir)...)
	const volume = "access-entries"
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: nodeAccessDir, ReadOnly: true})
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
		Name: volume, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: nodeAccessDir, Type: new(corev1.HostPathDirectory)}},
	})
	if ttl := c.spec.VerificationCacheTTL; ttl > 0 {
		container.Args = append(container.Args, "--verification-cache-ttl="+ttl.String())
	}
	if c.spec.TrustEndpoint {
		container.Args = append(container.Args, "--sts-endpoint="+c.spec.Endpoint, "--sts-endpoint-dial="+c.relayName()+":"+relayPort)
	}
	if uid := int64(os.Geteuid()); uid != 0 { // only this user can read the files
		gid := int64(os.Getegid())
		pod.Spec.SecurityContext.RunAsUser, pod.Spec.SecurityContext.RunAsGroup = &uid, &gid
	}
	text, err := yaml.Marshal(pod)
	if err != nil {
		return fmt.Errorf("encoding the authenticator's static pod: %w", err)
	}
	return c.writeFile(Dir+"/authenticator.yaml", string(text), 0o644)
}

// authenticatorUID is the user ID of the authenticator's image.
const authenticatorUID = 10000

// giveToAuthenticator lets the pod read its files if it runs as another user.
func (c *Cluster) giveToAuthenticator() error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := c.spec.Dir.Chown(provider.AuthenticatorDir, authenticatorUID, authenticatorUID); err != nil {
		return fmt.Errorf("giving the authenticator its files: %w", err)
	}
	return nil
}

// clusterConfig returns the configuration of the cluster: the one of deploy/kind, with
// the lab's names, files and nodes.
func (c *Cluster) clusterConfig() (*v1alpha4.Cluster, error) {
	var config v1alpha4.Cluster
	if err := yaml.UnmarshalStrict([]byte(manifests.Cluster), &config); err != nil {
		return nil, fmt.Errorf("reading the cluster's configuration: %w", err)
	}
	config.Name = c.name
	config.Networking.APIServerAddress = "127.0.0.1"
	if ttl := c.spec.WebhookCacheTTL; ttl > 0 {
		config.KubeadmConfigPatches = append(config.KubeadmConfigPatches,
			"kind: ClusterConfiguration\napiServer:\n  extraArgs:\n    authentication-token-webhook-cache-ttl: "+ttl.String()+"\n")
	}
	controlPlane := config.Nodes[0]
	files := map[string]string{"run": c.spec.Path(provider.AuthenticatorDir), "manifests/authenticator.yaml": c.spec.Path(Dir, "authenticator.yaml")}
	for i := range controlPlane.ExtraMounts {
		mount := &controlPlane.ExtraMounts[i]
		ours, ok := files[mount.HostPath]
		if !ok {
			return nil, fmt.Errorf("reading the cluster's configuration: it mounts %s, which the lab does not write", mount.HostPath)
		}
		mount.HostPath = ours
	}
	controlPlane.ExtraMounts = append(controlPlane.ExtraMounts, v1alpha4.Mount{
		HostPath: c.spec.Path(provider.AccessDir), ContainerPath: nodeAccessDir, Readonly: true,
	})
	config.Nodes = nil
	for i := range c.controlPlanes() {
		node := *controlPlane.DeepCopy()
		if i == 0 { // kubeadm uses this CA, and kind copies it to the others
			for _, name := range []string{"ca.crt", "ca.key"} {
				node.ExtraMounts = append(node.ExtraMounts, v1alpha4.Mount{
					HostPath: c.spec.Path(Dir, name), ContainerPath: "/etc/kubernetes/pki/" + name, Readonly: true,
				})
			}
		}
		config.Nodes = append(config.Nodes, node)
	}
	for range c.workers() {
		config.Nodes = append(config.Nodes, c.worker())
	}
	return &config, nil
}

// createCluster creates the cluster with kind. Meanwhile, it provides what the nodes
// wait for, as early as it can: the authenticator's image for the static pods, and
// aws-auth for the workers.
func (c *Cluster) createCluster(ctx context.Context) error {
	config, err := c.clusterConfig()
	if err != nil {
		return err
	}
	c.nodes = true
	working, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beside sync.WaitGroup
	for _, run := range []func(context.Context) error{c.loadImage, c.prepareAccess} {
		beside.Go(func() {
			if err := run(working); err != nil {
				cancel(err) // the cluster cannot come up
			}
		})
	}
	created := make(chan error, 1)
	go func() { created <- c.runKind(config) }()
	select {
	case err := <-created:
		if err != nil {
			cancel(err)
		}
		beside.Wait()
		return context.Cause(working)
	case <-working.Done():
	}
	beside.Wait()
	gaveUp := ctx.Err() != nil // the user does not want to inspect it
	if c.config.Keep && !gaveUp {
		<-created
		return context.Cause(working)
	}
	if !gaveUp {
		c.collectLogs()
	}
	return errors.Join(context.Cause(working), c.endKind(created))
}

// endKind ends kind, which takes no context, but fails once its containers are
// removed.
func (c *Cluster) endKind(created <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c.nodes = false
	return poll(ctx, time.Second, func() bool {
		_ = c.engine.remove(ctx, clusterLabel+"="+c.name) // repeated until kind fails
		select {
		case <-created:
			return true
		default:
			return false
		}
	})
}

func (c *Cluster) runKind(config *v1alpha4.Cluster) error {
	restore := environmentForKind(c.name)
	defer restore()
	return c.cluster.Create(c.name,
		cluster.CreateWithV1Alpha4Config(config),
		cluster.CreateWithNodeImage(c.config.NodeImage),
		cluster.CreateWithKubeconfigPath(c.spec.Path(Dir, "kubeconfig")), // never ~/.kube/config
		cluster.CreateWithRetain(true),                                   // the lab removes it
	)
}

// environmentForKind changes this process's environment for kind, until it is
// restored: kind copies the variables of proxies into the nodes, and reads the name
// of its network from a variable. Two labs of one process must not come up at once.
func environmentForKind(network string) (restore func()) {
	before := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasSuffix(strings.ToUpper(name), "_PROXY") || strings.HasPrefix(name, "KIND_EXPERIMENTAL_") {
			before[name] = value
			_ = os.Unsetenv(name)
		}
	}
	_ = os.Setenv("KIND_EXPERIMENTAL_DOCKER_NETWORK", network)
	return func() {
		_ = os.Unsetenv("KIND_EXPERIMENTAL_DOCKER_NETWORK")
		for name, value := range before {
			_ = os.Setenv(name, value)
		}
	}
}

// loadImage loads the authenticator's image into the control-plane nodes, into each
// as soon as the node accepts it.
func (c *Cluster) loadImage(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	left := c.controlPlanes()
	var last error
	err := poll(ctx, 500*time.Millisecond, func() bool {
		left = slices.DeleteFunc(left, func(name string) bool {
			err := c.loadImageInto(name)
			if err != nil {
				last = err
			}
			return err == nil
		})
		return len(left) == 0
	})
	if err != nil && last != nil {
		return fmt.Errorf("loading the image %s: %w", c.image.path, last)
	}
	if err == nil {
		c.spec.Progress("image %s loaded", c.image.name)
	}
	return err
}

// loadImageInto loads the image into a node. It fails if the node does not exist yet
// or does not accept images yet.
func (c *Cluster) loadImageInto(name string) error {
	all, err := c.cluster.ListInternalNodes(c.name)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(node nodes.Node) bool { return node.String() == name })
	if at < 0 {
		return fmt.Errorf("node %s does not exist yet", name)
	}
	archive, err := os.Open(c.image.path)
	if err != nil {
		return err
	}
	defer archive.Close()
	if err := nodeutils.LoadImageArchive(all[at], archive); err != nil {
		return fmt.Errorf("node %s does not accept it: %w", name, err)
	}
	return nil
}

// prepareAccess prepares what the authenticator and the workers wait for, as soon as
// kube-apiserver answers.
func (c *Cluster) prepareAccess(ctx context.Context) error {
	waiting, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("waiting for kube-apiserver: it does not answer"))
	defer cancel()
	err := poll(waiting, 500*time.Millisecond, func() bool { return c.connect(waiting) == nil })
	if err != nil {
		return err
	}
	if err := c.spec.Prepare(ctx, c.admin); err != nil {
		return err
	}
	c.spec.Progress("kube-apiserver answers at %s", c.admin.Host)
	return nil
}

// connect connects to kube-apiserver as an administrator.
func (c *Cluster) connect(ctx context.Context) error {
	text, err := c.cluster.KubeConfig(c.name, false)
	if err != nil {
		return err
	}
	if c.admin, err = clientcmd.RESTConfigFromKubeConfig([]byte(text)); err != nil {
		return err
	}
	client, err := c.kubernetes()
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	return err
}

func (c *Cluster) writeFile(name, text string, mode fs.FileMode) error {
	err := c.spec.Dir.Mkdir(path.Dir(name))
	if err == nil {
		err = c.spec.Dir.WriteFile(name, []byte(text), mode)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", c.spec.Path(name), err)
	}
	return nil
}
