// Package lab brings up a Kubernetes cluster with AWS IAM sign-in, on one machine
// and without a network: a local AWS, a real kube-apiserver with its etcd and
// kube-controller-manager, and the authenticator as its token webhook.
//
//	kubectl ─► kube-apiserver ─► authenticator ─► local AWS (as sts.eu-west-2.amazonaws.com)
//
// Nothing of the product is bypassed: the authenticator is the real program, and it
// connects to AWS's real hostnames with TLS. Only HTTPS_PROXY and a CA bundle make
// it use the local AWS, as they would with a corporate proxy.
//
// A lab writes only to its directory.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
	"github.com/kube-iam/authenticator/pkg/lab/internal/process"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// The contents of the lab's AWS account.
const (
	Account     = "231144931069"
	Region      = "eu-west-2"
	ClusterName = "kubedemy"

	// OwnerRole is the creator of the cluster. As in EKS, it is in system:masters
	// without an entry in any ConfigMap. It is a role and not a person's user,
	// which may be deleted when the person leaves the company.
	OwnerRole = "KubedemyClusterOwner"
	// clusterRole is the role of the cluster's control plane.
	clusterRole = "KubedemyCluster"
	// nodeRole is the role of the cluster's nodes.
	nodeRole = "KubedemyNode"
	// authenticatorUser is the authenticator's IAM user. Its only permission is
	// to describe instances.
	authenticatorUser = "authenticator"
)

// The lab's EC2 instance.
const (
	NodeInstanceID = "i-0123456789abcdef0"
	NodeName       = "ip-10-0-1-23.eu-west-2.compute.internal"
)

// ClusterARN is the ARN of the lab's cluster.
const ClusterARN = "arn:aws:eks:" + Region + ":" + Account + ":cluster/" + ClusterName

// Config configures a lab. The zero value is a lab in the user's cache directory.
type Config struct {
	// Dir is the lab's directory. Empty means [DefaultDir].
	Dir string
	// Provider is [Envtest] or [Kind]. Empty means Envtest.
	Provider string
	// Kind configures the provider [Kind].
	Kind KindConfig
	// Users, Roles and Mappings are what the lab's account and aws-auth contain from the
	// start, beside what every lab has.
	Users    []User
	Roles    []Role
	Mappings []Mapping
	// Accounts are the IDs of further AWS accounts, each with an administrator, whose
	// profile is admin-ID. The cluster is in none of them.
	Accounts []string
	// Assets is the directory of kubectl and, for Envtest, of kube-apiserver and
	// etcd. Empty means KUBEBUILDER_ASSETS, or else k8s beside this program.
	Assets string
	// Authenticator is the path of the authenticator. Empty means the one beside
	// this program, or else the one on PATH.
	Authenticator string
	// Listen is the address of the local AWS. Empty means a free port of 127.0.0.1.
	Listen string
	// WebhookCacheTTL is how long kube-apiserver caches the webhook's answers.
	// Zero means its default, 2 min.
	WebhookCacheTTL time.Duration
	// VerificationCacheTTL is how long the authenticator caches STS's answers.
	// Zero means its default, 60 s.
	VerificationCacheTTL time.Duration
	// NoAdmission leaves out the guard on aws-auth, which refuses edits that lock people
	// out.
	NoAdmission bool
	// TrustEndpoint makes the authenticator trust the local AWS's own URL too, for
	// clients with AWS_ENDPOINT_URL.
	TrustEndpoint bool
	// TakeUp goes on with the cluster and the AWS account of a lab in Dir that was killed,
	// if it had the same provider and the configuration has no Users, whose keys a killed
	// lab does not leave. Otherwise, what it left is removed.
	TakeUp bool
	// Progress gets a line for each step. Nil discards them.
	Progress io.Writer
}

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
	// images/authenticator.tar beside this program, or else an image that the lab
	// assembles from Authenticator.
	Image string
	// LocalAWS is the program localaws, which is also the relay. Empty means the
	// one beside this program, or else the one on PATH.
	LocalAWS string
	// Keep keeps the containers of a lab that fails to come up, for inspection.
	Keep bool
}

// Lab is a running lab.
type Lab struct {
	config  Config
	started time.Time
	claim   *claim
	// dir is the directory of the claim.
	dir *private.Dir
	// recording is locked while the lab's processes are recorded.
	recording sync.Mutex

	aws     *awsServer
	cluster provider.Cluster
	control *control // nil if the lab has no socket
	// restarting is locked while parts of the cluster restart.
	restarting sync.Mutex
	// earlier is the lab that this one takes up, or nil.
	earlier *Info
	// admin has full access to the cluster. The lab itself uses it.
	admin *rest.Config
	info  Info
	// keys are the access keys of the configured users by name, and callers the
	// configured users and roles by ARN.
	keys    map[string]localaws.AccessKey
	callers map[string]*Caller
	// gaveUp reports whether the user cancelled the start, and keep whether Close keeps the
	// files.
	gaveUp, keep bool
}

// anyPort is the default of [Config.Listen].
const anyPort = "127.0.0.1:0"

// DefaultDir returns the default directory of a lab.
func DefaultDir() (string, error) { return provider.DefaultDir() }

func (c Config) withDefaults() (Config, error) {
	var err error
	if c.Dir == "" {
		if c.Dir, err = DefaultDir(); err != nil {
			return c, err
		}
	}
	if c.Provider == "" {
		c.Provider = Envtest
	}
	if err := Supports(c.Provider); err != nil {
		return c, err
	}
	if err := c.checkAccount(); err != nil {
		return c, err
	}
	if c.Assets, err = FindAssets(c.Assets, c.Provider); err != nil {
		return c, err
	}
	if c.Authenticator, err = findProgram(c.Authenticator, "authenticator"); err != nil {
		return c, err
	}
	if c.Provider == Kind {
		if c.Kind.LocalAWS, err = findProgram(c.Kind.LocalAWS, "localaws"); err != nil {
			return c, err
		}
		if beside := besideThisProgram("images/authenticator.tar"); c.Kind.Image == "" && isFile(beside) {
			c.Kind.Image = beside
		}
	}
	if c.Listen == "" {
		c.Listen = anyPort
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	return c, nil
}

// Up brings a lab up and returns when all of it is ready. It first cleans up what an
// earlier lab in the directory left behind, or takes it up. If a lab still runs there,
// the error is [ErrRunning].
func Up(ctx context.Context, config Config) (_ *Lab, err error) {
	config, err = config.withDefaults()
	if err != nil {
		return nil, err
	}
	lab := &Lab{config: config, started: time.Now()}
	if lab.claim, err = claimDir(config.Dir); err != nil {
		return nil, err
	}
	lab.dir = lab.claim.dir
	defer func() {
		if err != nil {
			lab.gaveUp = ctx.Err() != nil
			err = errors.Join(err, lab.stop())
		}
	}()
	self, err := process.Of(os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("identifying this process: %w", err)
	}
	lab.info = Info{
		Dir: lab.dir.Path(), PID: self.PID, ProcessStarted: self.Started, Executable: self.Executable,
		User: username(), Since: lab.started.Round(time.Second),
		Provider: config.Provider, Assets: config.Assets, Authenticator: config.Authenticator,
	}
	if config.Provider == Kind {
		lab.info.ControlPlanes, lab.info.Nodes = max(1, config.Kind.ControlPlanes), config.Kind.Nodes
	}
	lab.info.Kubeconfig = lab.path(kubeconfigFile)
	prepare := func() error { return lab.claim.clear(ctx, config.Progress) }
	if config.TakeUp {
		prepare = func() error { return lab.takeUp(ctx) }
	}
	if err := prepare(); err != nil {
		return nil, err
	}
	if err := lab.claim.publish(lab.info); err != nil {
		return nil, err
	}
	if err := lab.start(ctx); err != nil {
		return nil, err
	}
	lab.serveControl()
	lab.info.Running, lab.info.Complete = true, true
	lab.info.StartSeconds = time.Since(lab.started).Round(100 * time.Millisecond).Seconds()
	if err := lab.claim.publish(lab.info); err != nil {
		return nil, err
	}
	lab.progress("ready in %.1f s: cluster %s at %s", lab.info.StartSeconds, ClusterName, lab.info.Endpoint)
	return lab, nil
}

// start starts local AWS and the cluster, and makes them one.
func (l *Lab) start(ctx context.Context) (err error) {
	if err := l.step(ctx, provider.Step{Name: "starting local AWS", Run: l.startAWS}); err != nil {
		return err
	}
	if l.cluster, err = l.startCluster(ctx); err != nil {
		return err
	}
	l.info.Webhook = l.cluster.Webhook()
	steps := []provider.Step{{Name: "registering cluster " + ClusterName + " in local AWS", Run: l.registerCluster}}
	if len(l.config.Users) > 0 {
		steps = append(steps, provider.Step{Name: "writing the users' kubeconfigs", Run: l.writeCallers})
	}
	if l.config.Provider == Kind {
		steps = append(steps, provider.Step{Name: "writing a kubeconfig with aws eks update-kubeconfig, and signing in with it", Run: l.signInAsOwner})
	}
	if !l.config.NoAdmission || l.takesUp() {
		steps = append(steps, provider.Step{Name: "installing the guard on aws-auth", Run: l.guard})
	}
	for _, step := range steps {
		if err := l.step(ctx, step); err != nil {
			return err
		}
	}
	parts, err := l.cluster.Parts(ctx)
	for _, name := range parts {
		l.info.Parts = append(l.info.Parts, Part{Name: name, Running: true})
	}
	return err
}

// step runs a step. It prints its name at the start, and again every 5 s until it is
// done.
func (l *Lab) step(ctx context.Context, step provider.Step) error {
	l.progress("%s", step.Name)
	done := make(chan error, 1)
	go func() { done <- step.Run(ctx) }()
	const every = 5 * time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	for waited := every; ; waited += every {
		select {
		case err := <-done:
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", step.Name, err)
			}
			return err
		case <-tick.C:
			l.progress("%s, %s", step.Name, waited)
		}
	}
}

func (l *Lab) progress(format string, args ...any) {
	fmt.Fprintf(l.config.Progress, "lab: "+format+"\n", args...)
}

// Close stops the lab and removes its state.
func (l *Lab) Close() error { return l.stop() }

// KeepFiles makes Close keep the lab's files, such as the logs of its parts, but not the
// data of etcd, which is large. It must not be called while Close runs.
func (l *Lab) KeepFiles() { l.keep = true }

func (l *Lab) stop() error {
	var err error
	if l.info.Running || !l.takesUp() { // what could not be taken up stays for the next lab
		err = l.claim.withdraw()
	}
	if l.control != nil {
		err = errors.Join(err, l.control.stop())
	}
	l.restarting.Lock() // a restart would start again what Stop ends
	defer l.restarting.Unlock()
	if l.cluster != nil {
		err = errors.Join(err, l.cluster.Stop(!l.info.Running && (!l.gaveUp || l.takesUp())))
	}
	if l.aws != nil {
		err = errors.Join(err, l.aws.stop())
	}
	// After a failure, the next up or down removes the state: the user needs the
	// logs, and down needs the record of what is still to be removed.
	switch {
	case !l.info.Running || err != nil:
	case l.keep:
		err = l.claim.removeData()
	default:
		err = l.claim.removeState()
	}
	return errors.Join(err, l.claim.release())
}

// Info returns the description of the running lab.
func (l *Lab) Info() Info { return l.info }

// path returns the path of a file in the lab's directory, for other programs.
func (l *Lab) path(elements ...string) string { return l.dir.Path(elements...) }
