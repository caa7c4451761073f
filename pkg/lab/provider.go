package lab

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider/envtest"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider/kind"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// Providers of a lab's cluster.
const (
	// Envtest is a kube-apiserver, its etcd and kube-controller-manager as plain
	// processes, without nodes.
	Envtest = "envtest"
	// Kind is a whole cluster with containers as nodes.
	Kind = "kind"
)

// Providers returns the values of [Config.Provider].
func Providers() []string { return []string{Envtest, Kind} }

// Supports returns an error if the provider is unknown or cannot run on this system.
func Supports(provider string) error { return supports(runtime.GOOS, provider) }

func supports(system, provider string) error {
	if !slices.Contains(Providers(), provider) {
		return fmt.Errorf("unknown provider %q (supported: %q)", provider, Providers())
	}
	if provider != Kind || system == "linux" {
		return nil
	}
	return fmt.Errorf("--provider %s needs Linux, and this is %s: its Linux containers run this machine's programs authenticator and localaws, "+
		"and connect to local AWS at the gateway of their network, which is inside the Docker engine's virtual machine here "+
		"(use --provider %s, or run lab in a Linux virtual machine)", Kind, system, Envtest)
}

// startCluster brings the cluster up.
func (l *Lab) startCluster(ctx context.Context) (provider.Cluster, error) {
	spec := provider.Spec{
		Dir: l.dir, Cluster: ClusterName, Region: Region, Owner: l.info.OwnerARN,
		Assets: l.config.Assets, Authenticator: l.config.Authenticator, Environ: l.authenticatorEnvironment(),
		AWS: l.aws.aws, Endpoint: l.info.AWS, TrustEndpoint: l.config.TrustEndpoint,
		WebhookCacheTTL: l.config.WebhookCacheTTL, VerificationCacheTTL: l.config.VerificationCacheTTL,
		Prepare: l.prepareCluster, Start: l.endIfCancelled, Record: l.recordPrograms,
		Step: l.step, Progress: l.progress,
	}
	if l.takesUp() {
		spec.Earlier = provider.Earlier{Endpoint: l.earlier.Endpoint, Webhook: l.earlier.Webhook}
	}
	if l.config.Provider == Envtest {
		return running(envtest.Up(ctx, spec))
	}
	k := l.config.Kind
	return running(kind.Up(ctx, spec, kind.Config{
		ControlPlanes: k.ControlPlanes, Workers: l.workers(), NodeImage: k.NodeImage, KubernetesVersion: k.KubernetesVersion,
		Image: k.Image, LocalAWS: k.LocalAWS, Keep: k.Keep,
	}))
}

// running returns no cluster beside an error: a nil pointer in an interface is not nil.
func running[C provider.Cluster](cluster C, err error) (provider.Cluster, error) {
	if err != nil {
		return nil, err
	}
	return cluster, nil
}

// workers returns the instances that become nodes.
func (l *Lab) workers() []localaws.Instance {
	if l.config.Provider != Kind {
		return nil
	}
	return kind.Instances(ClusterName, l.dir.Path(), l.config.Kind.Nodes, nodeRole)
}

// prepareCluster creates what the authenticator reads, and a kubeconfig with which step
// 4 of the story edits it. Later, update-kubeconfig adds its own context to the file.
func (l *Lab) prepareCluster(ctx context.Context, admin *rest.Config) error {
	l.admin = admin
	if l.takesUp() {
		return l.renewKubeconfig(admin)
	}
	if err := kubeconfig.WriteCertificate(l.dir, kubeconfigFile, administratorContext, admin); err != nil {
		return err
	}
	if err := l.allowAuthenticator(ctx); err != nil {
		return err
	}
	return l.createAWSAuth(ctx)
}

// RestartAuthenticator restarts the authenticator. With waitReady it returns when
// the authenticator has read aws-auth, otherwise as soon as it serves.
func (l *Lab) RestartAuthenticator(ctx context.Context, waitReady bool) error {
	l.restarting.Lock()
	defer l.restarting.Unlock()
	return l.cluster.RestartAuthenticator(ctx, waitReady)
}

// PostToWebhook sends a body to the authenticator, as kube-apiserver does, and
// returns the HTTP status and the body of the answer.
func (l *Lab) PostToWebhook(ctx context.Context, path string, body []byte) (status int, answer []byte, err error) {
	return l.cluster.Post(ctx, path, body)
}

// AuthenticatorLog returns the last lines of the authenticator's log.
func (l *Lab) AuthenticatorLog(ctx context.Context) string { return l.cluster.AuthenticatorLog(ctx) }
