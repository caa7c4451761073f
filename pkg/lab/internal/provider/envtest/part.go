package envtest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kube-iam/authenticator/internal/controlplane"
)

// A part is a program of the cluster. One that has ended can be stopped too.
type part struct {
	name  string
	stop  func() error
	start func(context.Context) error
}

// parts returns the parts in the order in which they start.
func (c *Cluster) parts() []part {
	parts := []part{
		{"etcd", c.plane.Etcd.Stop, func(ctx context.Context) error { return c.spec.Start(ctx, c.plane.Etcd.Start) }},
		{"kube-apiserver", c.plane.stopAPIServer, func(ctx context.Context) error { return c.spec.Start(ctx, c.plane.APIServer.Start) }},
	}
	if c.controllers != nil {
		parts = append(parts, part{controlplane.ControllerManager, c.controllers.stop, c.restartControllers})
	}
	return append(parts, part{"authenticator", c.authenticator.stop, c.startAuthenticator})
}

// Parts implements [provider.Cluster].
func (c *Cluster) Parts(context.Context) ([]string, error) {
	var names []string
	for _, part := range c.parts() {
		names = append(names, part.name)
	}
	return names, nil
}

// Restart implements [provider.Cluster].
func (c *Cluster) Restart(ctx context.Context, names ...string) error {
	parts := slices.DeleteFunc(c.parts(), func(p part) bool { return !slices.Contains(names, p.name) })
	for _, part := range slices.Backward(parts) {
		// A program that hangs is a reason to restart it.
		if err := part.stop(); err != nil && !errors.Is(err, errKilled) {
			return fmt.Errorf("stopping %s: %w", part.name, err)
		}
	}
	for _, part := range parts {
		if err := part.start(ctx); err != nil {
			return fmt.Errorf("starting %s: %w", part.name, err)
		}
	}
	return c.spec.Record()
}

func (c *Cluster) restartControllers(ctx context.Context) error {
	if err := c.startControllers(ctx); err != nil {
		return err
	}
	return c.waitForControllers(ctx)
}
