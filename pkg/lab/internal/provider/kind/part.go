package kind

import (
	"context"
	"fmt"
	"time"
)

// Parts implements [provider.Cluster]. The parts are the containers.
func (c *Cluster) Parts(ctx context.Context) ([]string, error) {
	names, err := c.engine.containers(ctx, c.name)
	if err != nil {
		return nil, fmt.Errorf("listing the containers of cluster %s: %w", c.name, err)
	}
	return names, nil
}

// Restart implements [provider.Cluster].
func (c *Cluster) Restart(ctx context.Context, parts ...string) error {
	since := time.Now()
	if _, err := c.engine.run(ctx, append([]string{"restart"}, parts...)...); err != nil {
		return fmt.Errorf("restarting containers: %w", err)
	}
	return c.waitUntilBack(ctx, since, parts)
}
