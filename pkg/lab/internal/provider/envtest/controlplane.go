package envtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// A controlPlane is a kube-apiserver and its etcd, as plain processes.
type controlPlane struct {
	envtest.ControlPlane
	logs []*os.File
}

func (c *Cluster) startControlPlane(ctx context.Context) error {
	plane := &controlPlane{}
	c.plane = plane
	plane.KubectlPath = filepath.Join(c.spec.Assets, "kubectl")
	plane.Etcd = &envtest.Etcd{Path: filepath.Join(c.spec.Assets, "etcd"), DataDir: c.spec.Path(EtcdDir), StartTimeout: time.Minute}
	plane.APIServer = &envtest.APIServer{Path: filepath.Join(c.spec.Assets, "kube-apiserver"), CertDir: c.spec.Path(Dir, "apiserver"), StartTimeout: 2 * time.Minute, StopTimeout: apiServerStopTimeout}
	if err := c.serveAsBefore(); err != nil {
		return err
	}
	for _, name := range []string{"etcd", "apiserver"} {
		if err := c.spec.Dir.Mkdir(Dir + "/" + name); err != nil {
			return fmt.Errorf("making the control plane's directory: %w", err)
		}
	}
	var err error
	if plane.Etcd.Err, err = c.openLog("etcd.log"); err != nil {
		return err
	}
	if plane.APIServer.Err, err = c.openLog("kube-apiserver.log"); err != nil {
		return err
	}
	arguments := plane.GetAPIServer().Configure()
	if c.hasControllers() {
		// envtest disables the admission of ServiceAccounts, since it has no controllers.
		arguments.Disable("disable-admission-plugins")
	}
	// An operator adds these flags to a kube-apiserver, and no others.
	arguments.Set("authentication-token-webhook-config-file", c.spec.Path(provider.WebhookKubeconfig))
	arguments.Set("authentication-token-webhook-version", "v1")
	if c.spec.WebhookCacheTTL > 0 {
		arguments.Set("authentication-token-webhook-cache-ttl", c.spec.WebhookCacheTTL.String())
	}
	if err := c.spec.Start(ctx, plane.Start); err != nil {
		return fmt.Errorf("%w (its logs are in %s)", err, c.spec.Path(Dir))
	}
	if err := c.spec.Record(); err != nil {
		return err
	}
	if err := c.spec.Dir.WriteFile(caFile, plane.APIServer.CA, 0o600); err != nil {
		return fmt.Errorf("writing the CA of kube-apiserver: %w", err)
	}
	if err := c.writeAuthenticatorKubeconfig(); err != nil {
		return err
	}
	admin, err := plane.AddUser(envtest.User{Name: "lab-administrator", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return fmt.Errorf("creating an administrator: %w", err)
	}
	c.admin = admin.Config()
	c.admin.Host = strings.TrimSuffix(c.admin.Host, "/")
	return c.spec.Prepare(ctx, c.admin)
}

// openLog opens the log of a program of the control plane. The program is recorded
// as soon as it runs.
func (c *Cluster) openLog(name string) (*provider.ProgramLog, error) {
	file, err := c.spec.Dir.Append(Dir + "/" + name)
	if err != nil {
		return nil, fmt.Errorf("opening a log of the control plane: %w", err)
	}
	c.plane.logs = append(c.plane.logs, file)
	// An error can be ignored here: all programs are recorded again once they run.
	return &provider.ProgramLog{File: file, Started: func() { _ = c.spec.Record() }}, nil
}

// caFile is the CA of kube-apiserver's certificate.
const caFile = Dir + "/ca.crt"

// serveAsBefore gives kube-apiserver the address and the CA of the cluster that this one
// goes on with. envtest finds the certificates itself, and keeps them.
func (c *Cluster) serveAsBefore() (err error) {
	if c.spec.Earlier.Endpoint == "" {
		return nil
	}
	if err := checkFree("kube-apiserver", c.spec.Earlier.Endpoint, c.spec.Command("down")); err != nil {
		return err
	}
	server := c.plane.APIServer
	if server.Address, server.Port, err = net.SplitHostPort(strings.TrimPrefix(c.spec.Earlier.Endpoint, "https://")); err != nil {
		return fmt.Errorf("reading the URL of the earlier kube-apiserver: %w", err)
	}
	if server.CA, err = c.spec.Dir.ReadFile(caFile); err != nil {
		return fmt.Errorf("reading the CA of the earlier kube-apiserver: %w", err)
	}
	return nil
}

// checkFree returns an error if another program listens at the URL of a part of the earlier
// cluster. Down is the command that ends the lab.
func checkFree(part, url, down string) error {
	address := strings.TrimPrefix(url, "https://")
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%s of the lab that was killed listened on %s, which its clients know: %w (end the program that uses this address now, or start from scratch: %s)", part, address, err, down)
	}
	return listener.Close()
}

func (p *controlPlane) stop() error {
	errs := []error{p.stopAPIServer(), p.Etcd.Stop()}
	for _, file := range p.logs {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// apiServerStopTimeout is how long kube-apiserver may take to end. Without clients that
// watch, it takes about a second.
const apiServerStopTimeout = 5 * time.Second

// stopAPIServer ends kube-apiserver. It would serve the watches of its clients, such as
// kube-controller-manager, for a minute, so it may have to be killed. All its data is in
// etcd.
func (p *controlPlane) stopAPIServer() error {
	if p.APIServer.Stop() == nil {
		return nil
	}
	return p.APIServer.Stop() // waits until the killed process has ended
}

func (c *Cluster) writeAuthenticatorKubeconfig() error {
	user, err := c.plane.AddUser(envtest.User{Name: provider.AuthenticatorUser}, nil)
	if err != nil {
		return fmt.Errorf("creating the authenticator's Kubernetes user: %w", err)
	}
	return kubeconfig.WriteCertificate(c.spec.Dir, provider.AuthenticatorKubeconfig, "authenticator", user.Config())
}
