// Package provider defines the input and the output of the providers of a lab's cluster.
// The providers are packages in this directory.
package provider

import (
	"context"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// Spec describes a cluster with the authenticator as its token webhook.
type Spec struct {
	// Dir is the lab's directory.
	Dir *private.Dir
	// Cluster is the ID of the cluster, and Region its AWS region.
	Cluster, Region string
	// Owner is the ARN of the cluster's owner.
	Owner string

	// Assets is the directory of the control plane's programs.
	Assets string
	// Authenticator is the path of the authenticator, and Environ its environment as a
	// process of this machine.
	Authenticator string
	Environ       []string

	// AWS is the running local AWS, and Endpoint its URL on this machine. With
	// TrustEndpoint, the authenticator trusts tokens for that URL too.
	AWS           *localaws.AWS
	Endpoint      string
	TrustEndpoint bool

	// The caches' lifetimes. Zero means the default of the program.
	WebhookCacheTTL, VerificationCacheTTL time.Duration

	// Earlier is the cluster of a killed lab that this one goes on with. Its zero value
	// means a new cluster.
	Earlier Earlier

	// Prepare is called with an administrator's rights as soon as kube-apiserver
	// answers. It creates what the authenticator reads.
	Prepare func(context.Context, *rest.Config) error
	// Start calls a function that starts programs. If ctx is done first, it ends them.
	Start func(ctx context.Context, start func() error) error
	// Record records the programs that this process has started.
	Record func() error
	// Step runs a step of the start and reports its progress.
	Step func(context.Context, Step) error
	// Progress reports a line.
	Progress func(format string, args ...any)
}

// Earlier has the addresses of a cluster, which its clients know and which must not
// change. The cluster's files are in the lab's directory.
type Earlier struct {
	// Endpoint is the URL of kube-apiserver, and Webhook that of the authenticator.
	Endpoint, Webhook string
}

// A Step is a step of bringing a cluster up.
type Step struct {
	Name string
	Run  func(context.Context) error
}

// Run runs steps in order, until one fails.
func (s Spec) Run(ctx context.Context, steps ...Step) error {
	for _, step := range steps {
		if err := s.Step(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// Path returns the path of a file in the lab's directory, for other programs.
func (s Spec) Path(elements ...string) string { return s.Dir.Path(elements...) }

// A Cluster is a running cluster.
type Cluster interface {
	// Admin returns a configuration with full access to the cluster.
	Admin() *rest.Config
	// Webhook returns the authenticator's URL, and WebhookCA the CAs of its
	// certificates in PEM.
	Webhook() string
	WebhookCA(ctx context.Context) ([]byte, error)
	// Parts returns the names of the programs or containers of the cluster.
	Parts(ctx context.Context) ([]string, error)
	// Restart restarts the named parts, and starts those that have ended.
	Restart(ctx context.Context, parts ...string) error
	// RestartAuthenticator restarts the authenticator. With waitReady it returns when
	// the authenticator has read aws-auth, otherwise as soon as it serves.
	RestartAuthenticator(ctx context.Context, waitReady bool) error
	// Post sends a body to the authenticator, as kube-apiserver does.
	Post(ctx context.Context, path string, body []byte) (status int, answer []byte, err error)
	// AuthenticatorLog returns the last lines of the authenticator's log.
	AuthenticatorLog(ctx context.Context) string
	// Stop ends the cluster. If the cluster failed to come up, Stop first keeps its logs; if
	// it could not be taken up, it stays.
	Stop(failed bool) error
}
