// Package kind runs a lab's cluster with kind: its nodes are containers of a Docker
// engine, the authenticator is a static pod beside each kube-apiserver, and the workers
// join through IAM, as on EKS.
package kind

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// Config configures the nodes of a cluster.
type Config struct {
	// ControlPlanes is the number of control-plane nodes. Zero means one.
	ControlPlanes int
	// Workers are the workers' instances, as [Instances] returns them.
	Workers []localaws.Instance
	// NodeImage is the image of the nodes. Empty means KIND_NODE_IMAGE, or else kind's
	// image for KubernetesVersion, or else an image that `make kind-node-image` built.
	NodeImage string
	// KubernetesVersion is a version such as v1.36.3. Empty means the image's.
	KubernetesVersion string
	// Image is the path of an archive of the authenticator's image. Empty means an image
	// that is assembled from the program.
	Image string
	// LocalAWS is the path of the program localaws, which is also the relay.
	LocalAWS string
	// Keep keeps the containers of a cluster that fails to come up.
	Keep bool
}

// Cluster is a running cluster.
type Cluster struct {
	spec   provider.Spec
	config Config
	engine engine
	// dockerHost is the engine's address, from a variable or a Docker context.
	dockerHost string
	name       string
	cluster    *cluster.Provider
	image      authenticatorImage
	network    network
	admin      *rest.Config
	// made reports whether the lab may have anything in the engine, and nodes whether
	// that may include a cluster.
	made, nodes bool
}

var _ provider.Cluster = (*Cluster)(nil)

// webhook is the authenticator's URL on each control-plane node.
const webhook = "https://127.0.0.1:21362"

func newCluster(spec provider.Spec, config Config) *Cluster {
	return &Cluster{
		spec: spec, config: config, name: name(spec.Cluster, spec.Dir.Path()),
		cluster: cluster.NewProvider(cluster.ProviderWithDocker(), cluster.ProviderWithLogger(logger{spec.Progress})),
	}
}

// Up brings a cluster up.
func Up(ctx context.Context, spec provider.Spec, config Config) (*Cluster, error) {
	c := newCluster(spec, config)
	if c.takesUp() {
		return c.takeUp(ctx)
	}
	err := spec.Run(ctx,
		provider.Step{Name: "finding a Docker engine", Run: c.findEngine},
		provider.Step{Name: "finding the node image", Run: c.findNodeImage},
		provider.Step{Name: "creating the network " + c.name, Run: c.makeNetwork},
		provider.Step{Name: "resolving AWS's hostnames to local AWS", Run: c.resolveToLocalAWS},
		provider.Step{Name: "writing certificates and manifests", Run: c.writeFiles},
		provider.Step{Name: "creating the cluster " + c.name, Run: c.createCluster},
		provider.Step{Name: "waiting for the authenticator and the nodes", Run: c.waitUntilReady},
	)
	if err != nil {
		return nil, errors.Join(err, c.Stop(ctx.Err() == nil)) // a user who gave up does not want to inspect it
	}
	return c, nil
}

// Admin implements [provider.Cluster].
func (c *Cluster) Admin() *rest.Config { return c.admin }

// Webhook implements [provider.Cluster].
func (c *Cluster) Webhook() string { return webhook }

func (c *Cluster) kubernetes() (kubernetes.Interface, error) {
	client, err := kubernetes.NewForConfig(c.admin)
	if err != nil {
		return nil, fmt.Errorf("making a Kubernetes client: %w", err)
	}
	return client, nil
}

func (c *Cluster) findEngine(ctx context.Context) error {
	if err := c.engine.check(ctx); err != nil {
		return err
	}
	var err error
	if c.dockerHost, err = c.engine.run(ctx, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"); err != nil {
		return fmt.Errorf("finding the engine's address: %w", err)
	}
	for _, path := range []string{c.spec.Dir.Path(), c.spec.Authenticator, c.config.LocalAWS} {
		if strings.Contains(path, ":") {
			return fmt.Errorf("%s cannot be mounted into containers: its path contains a colon (rename or move it)", path)
		}
	}
	if c.config.Image != "" {
		c.image, err = readImage(c.config.Image)
	}
	return err
}

// name returns the name in the engine of the cluster of the lab in dir. The names of its
// containers begin with it, so that several labs can run on one engine.
func name(cluster, dir string) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(dir))
	return fmt.Sprintf("%s-%06x", cluster, sum.Sum32()&0xffffff)
}

// Instances returns the EC2 instances of the workers of the lab in dir. The private DNS
// name of each is the name that kind gives its node, because the Node authorizer takes
// system:node:NAME for node NAME.
func Instances(cluster, dir string, workers int, profile string) []localaws.Instance {
	var instances []localaws.Instance
	for i, name := range nodeNames(name(cluster, dir)+"-worker", workers) {
		instances = append(instances, localaws.Instance{ID: fmt.Sprintf("i-%017x", i+1), PrivateDNSName: name, InstanceProfile: profile})
	}
	return instances
}

// controlPlanes returns the names that kind gives the control-plane nodes.
func (c *Cluster) controlPlanes() []string {
	return nodeNames(c.name+"-control-plane", max(1, c.config.ControlPlanes))
}

// workers returns the names that kind gives the worker nodes.
func (c *Cluster) workers() []string {
	var names []string
	for _, instance := range c.config.Workers {
		names = append(names, instance.PrivateDNSName)
	}
	return names
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

// Stop implements [provider.Cluster]. It removes the cluster and its network, or keeps
// them for inspection.
func (c *Cluster) Stop(failed bool) error {
	c.network.close()
	if !c.made || failed && c.takesUp() { // what could not be taken up stays for the next lab
		return nil
	}
	if c.nodes && failed {
		c.collectLogs()
		if c.config.Keep {
			c.spec.Progress("keeping the containers of %s; %s removes them", c.name, c.spec.Command("down"))
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return RemoveLeftovers(ctx, c.spec.Dir, c.spec.Progress)
}

// collectLogs writes the logs of a cluster that failed to come up.
func (c *Cluster) collectLogs() {
	dir := c.spec.Path(Dir, "logs")
	if err := c.cluster.CollectLogs(c.name, dir); err != nil {
		c.spec.Progress("collecting the nodes' logs: %v", err)
		return
	}
	c.spec.Progress("the nodes' logs are in %s", dir)
}
