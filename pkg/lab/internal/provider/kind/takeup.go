package kind

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// takesUp reports whether the cluster goes on with that of a killed lab.
func (c *Cluster) takesUp() bool { return c.spec.Earlier.Endpoint != "" }

// takeUp goes on with the containers of a killed lab. Their configuration stays.
func (c *Cluster) takeUp(ctx context.Context) (*Cluster, error) {
	err := c.spec.Run(ctx,
		provider.Step{Name: "finding the engine of cluster " + c.name, Run: c.findEarlier},
		provider.Step{Name: "serving local AWS to its containers", Run: c.serveEarlier},
		provider.Step{Name: "starting those of its containers that have stopped", Run: c.startStopped},
	)
	if err != nil {
		return nil, errors.Join(err, c.Stop(true))
	}
	return c, nil
}

// findEarlier finds the engine and the network of the killed lab.
func (c *Cluster) findEarlier(ctx context.Context) error {
	left, ok, err := leftoverOf(c.spec.Dir)
	if err != nil {
		return err
	}
	if !ok || len(left.Addresses) == 0 {
		return fmt.Errorf("%s does not say where its containers find local AWS (%s removes them)", c.spec.Path(leftoverFile), c.spec.Command("down"))
	}
	if err := c.findEngine(ctx); err != nil {
		return err
	}
	if c.dockerHost != left.DockerHost {
		return fmt.Errorf("the cluster is in the engine at %s, and docker uses the one at %s (set DOCKER_HOST, or start from scratch: %s)", left.DockerHost, c.dockerHost, c.spec.Command("down"))
	}
	c.made, c.nodes, c.network.addresses = true, true, left.Addresses
	return c.readNetwork(ctx)
}

func (c *Cluster) serveEarlier(ctx context.Context) error {
	return c.serveContainers(ctx, slices.Sorted(maps.Keys(c.network.addresses))...)
}

// startStopped starts the containers that have stopped, as after a restart of the machine,
// and waits until the cluster is ready.
func (c *Cluster) startStopped(ctx context.Context) error {
	all, err := c.engine.containers(ctx, c.name, "--all")
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(c.controlPlanes(), c.workers(), []string{c.relayName()}) {
		if !slices.Contains(all, name) {
			return fmt.Errorf("container %s does not exist any more (start from scratch: %s)", name, c.spec.Command("down"))
		}
	}
	running, err := c.engine.containers(ctx, c.name)
	if err != nil {
		return err
	}
	stopped := slices.DeleteFunc(all, func(name string) bool { return slices.Contains(running, name) })
	since := time.Now()
	if len(stopped) > 0 {
		c.spec.Progress("starting %s", strings.Join(stopped, ", "))
		if _, err := c.engine.run(ctx, append([]string{"start"}, stopped...)...); err != nil {
			return err
		}
	}
	if err := c.prepareAccess(ctx); err != nil {
		return err
	}
	if err := c.checkCA(ctx); err != nil {
		return err
	}
	return c.waitUntilBack(ctx, since, stopped)
}

// checkCA returns an error unless the authenticators trust local AWS's CA, which is renewed
// before it expires.
func (c *Cluster) checkCA(ctx context.Context) error {
	trusted, err := c.engine.run(ctx, "exec", c.controlPlanes()[0], "cat", nodeStateDir+"/aws-ca.pem")
	if err != nil {
		return fmt.Errorf("reading the CA that the authenticator trusts: %w", err)
	}
	if strings.TrimSpace(trusted) != strings.TrimSpace(string(c.spec.AWS.CA())) {
		return fmt.Errorf("local AWS has a new CA since the old one expired, and the authenticator trusts only the old one (start from scratch: %s)", c.spec.Command("down"))
	}
	return nil
}
