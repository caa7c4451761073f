// Package envtest runs a lab's cluster as processes of this machine: kube-apiserver,
// etcd, kube-controller-manager and the authenticator. It has no nodes.
package envtest

import (
	"context"
	"errors"

	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// The files of the control plane, in the lab's directory.
const (
	Dir            = "controlplane"
	EtcdDir        = Dir + "/etcd"
	EtcdLog        = Dir + "/etcd.log"
	APIServerLog   = Dir + "/kube-apiserver.log"
	ControllersLog = Dir + "/kube-controller-manager.log"
)

// Cluster is a running cluster.
type Cluster struct {
	spec          provider.Spec
	webhook       string
	plane         *controlPlane
	controllers   *program
	authenticator *program
	admin         *rest.Config
}

var _ provider.Cluster = (*Cluster)(nil)

// Up brings a cluster up.
func Up(ctx context.Context, spec provider.Spec) (*Cluster, error) {
	c := &Cluster{spec: spec}
	err := spec.Run(ctx,
		provider.Step{Name: "making the authenticator's certificate", Run: c.makeCertificate},
		provider.Step{Name: "starting etcd and kube-apiserver", Run: c.startControlPlane},
		provider.Step{Name: "starting kube-controller-manager", Run: c.startControllers},
		provider.Step{Name: "starting the authenticator", Run: c.startAuthenticator},
		provider.Step{Name: "waiting for kube-controller-manager", Run: c.waitForControllers},
	)
	if err != nil {
		return nil, errors.Join(err, c.Stop(true))
	}
	return c, nil
}

// Admin implements [provider.Cluster].
func (c *Cluster) Admin() *rest.Config { return c.admin }

// Webhook implements [provider.Cluster].
func (c *Cluster) Webhook() string { return c.webhook }

// Stop implements [provider.Cluster]. The logs stay in any case.
func (c *Cluster) Stop(bool) error {
	var errs []error
	if c.authenticator != nil {
		errs = append(errs, c.authenticator.stop())
	}
	if c.controllers != nil {
		errs = append(errs, c.controllers.stop())
	}
	if c.plane != nil {
		errs = append(errs, c.plane.stop())
	}
	return errors.Join(errs...)
}
