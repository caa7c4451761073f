package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-iam/authenticator/pkg/lab/internal/process"
)

// controlPlaneDir, in the lab's directory, holds the files of etcd and kube-apiserver.
const controlPlaneDir = "controlplane"

// A controlPlane is a kube-apiserver and its etcd, as plain processes.
type controlPlane struct {
	envtest.ControlPlane
	logs []*os.File
}

// envtestProvider runs kube-apiserver, etcd and the authenticator as processes.
type envtestProvider struct {
	*Lab
	plane         *controlPlane
	authenticator *authenticatorProcess
}

func (p *envtestProvider) stages() []stage {
	return append([]stage{
		{"starting local AWS", func(ctx context.Context) error { return p.startAWS(ctx) }},
		{"making the authenticator's certificate", p.makeCertificate},
		{"starting etcd and kube-apiserver", p.startControlPlane},
		{"registering cluster " + ClusterName + " in local AWS", p.registerCluster},
		{"starting the authenticator", p.startAuthenticator},
	}, p.guardStages()...)
}

func (p *envtestProvider) stop() error {
	var errs []error
	if p.authenticator != nil {
		errs = append(errs, p.authenticator.stop())
	}
	if p.plane != nil {
		errs = append(errs, p.plane.stop())
	}
	return errors.Join(errs...)
}

func (p *envtestProvider) startControlPlane(ctx context.Context) error {
	plane := &controlPlane{}
	p.plane = plane
	plane.KubectlPath = filepath.Join(p.config.Assets, "kubectl")
	plane.Etcd = &envtest.Etcd{Path: filepath.Join(p.config.Assets, "etcd"), DataDir: p.path(controlPlaneDir, "etcd"), StartTimeout: time.Minute}
	plane.APIServer = &envtest.APIServer{Path: filepath.Join(p.config.Assets, "kube-apiserver"), CertDir: p.path(controlPlaneDir, "apiserver"), StartTimeout: 2 * time.Minute}
	for _, name := range []string{"etcd", "apiserver"} {
		if err := p.dir.Mkdir(controlPlaneDir + "/" + name); err != nil {
			return fmt.Errorf("making the control plane's directory: %w", err)
		}
	}
	var err error
	if plane.Etcd.Err, err = p.openLog("etcd.log"); err != nil {
		return err
	}
	if plane.APIServer.Err, err = p.openLog("kube-apiserver.log"); err != nil {
		return err
	}
	// An operator adds these flags to a kube-apiserver, and no others.
	arguments := plane.GetAPIServer().Configure()
	arguments.Set("authentication-token-webhook-config-file", p.path(webhookKubeconfigFile))
	arguments.Set("authentication-token-webhook-version", "v1")
	if p.config.WebhookCacheTTL > 0 {
		arguments.Set("authentication-token-webhook-cache-ttl", p.config.WebhookCacheTTL.String())
	}
	if err := p.endIfCancelled(ctx, plane.Start); err != nil {
		return fmt.Errorf("%w (its logs are in %s)", err, p.path(controlPlaneDir))
	}
	if err := p.recordPrograms(); err != nil {
		return err
	}
	if err := p.writeAdminKubeconfig(); err != nil {
		return err
	}
	if err := p.writeAuthenticatorKubeconfig(); err != nil {
		return err
	}
	return p.allowAuthenticator(ctx)
}

// endIfCancelled starts the control plane. envtest takes no context, but stops
// waiting for its programs once they end: on cancellation they are killed.
func (p *envtestProvider) endIfCancelled(ctx context.Context, start func() error) error {
	started := make(chan error, 1)
	go func() { started <- start() }()
	select {
	case err := <-started:
		return err
	case <-ctx.Done():
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := p.killChildren(ctx); err != nil {
			return err
		}
		select {
		case <-started:
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// killChildren kills the programs that this process has started for the lab.
func (p *envtestProvider) killChildren(ctx context.Context) error {
	children, err := p.children()
	if err != nil {
		return err
	}
	for _, child := range children {
		err := child.Kill(context.WithoutCancel(ctx))
		if err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, process.ErrReused) {
			return fmt.Errorf("ending %s: %w", child, err)
		}
	}
	return nil
}

// openLog creates the log of a program of the control plane. The program is recorded
// as soon as it runs.
func (p *envtestProvider) openLog(name string) (*programLog, error) {
	file, err := p.dir.Create(controlPlaneDir+"/"+name, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a log of the control plane: %w", err)
	}
	p.plane.logs = append(p.plane.logs, file)
	// An error can be ignored here: all programs are recorded again once they run.
	return &programLog{file, func() { _ = p.recordPrograms() }}, nil
}

func (p *controlPlane) stop() error {
	errs := []error{p.Stop()}
	for _, file := range p.logs {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// writeAdminKubeconfig writes the kubeconfig with which step 4 of the story
// edits aws-auth. Later, update-kubeconfig adds its own context to the file.
func (p *envtestProvider) writeAdminKubeconfig() error {
	admin, err := p.plane.AddUser(envtest.User{Name: "lab-administrator", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return fmt.Errorf("creating an administrator: %w", err)
	}
	p.admin = admin.Config()
	return writeKubeconfig(p.dir, kubeconfigFile, administratorContext, p.admin)
}

func (p *envtestProvider) writeAuthenticatorKubeconfig() error {
	user, err := p.plane.AddUser(envtest.User{Name: authenticatorKubernetesUser}, nil)
	if err != nil {
		return fmt.Errorf("creating the authenticator's Kubernetes user: %w", err)
	}
	return writeKubeconfig(p.dir, authenticatorKubeconfigFile, "authenticator", user.Config())
}

func (p *envtestProvider) registerCluster(ctx context.Context) error {
	endpoint := p.plane.APIServer.SecureServing.URL("https", "").String()
	if err := p.bindCluster(endpoint, p.plane.APIServer.CA); err != nil {
		return err
	}
	return p.createAWSAuth(ctx)
}
