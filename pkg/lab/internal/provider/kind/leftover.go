package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
)

const (
	// Dir is the directory of the provider's files, in the lab's directory.
	Dir = "kind"
	// leftoverFile says what the lab has in which engine. It exists from before
	// anything is created there until after all of it is removed.
	leftoverFile = Dir + "/made.json"
)

// A leftover is what a killed lab may have left in an engine.
type leftover struct {
	Name string `json:"name"`
	// DockerHost is the engine's address. `lab down` may run with another default.
	DockerHost string `json:"dockerHost"`
	// Addresses are those at which the containers find local AWS, by listener.
	Addresses map[string]string `json:"addresses,omitempty"`
}

// declare writes the leftoverFile, before anything is created in the engine, and again
// when the addresses are known.
func (c *Cluster) declare() error {
	if err := c.spec.Dir.Mkdir(Dir); err != nil {
		return fmt.Errorf("making the cluster's directory: %w", err)
	}
	text, err := json.Marshal(leftover{c.name, c.dockerHost, c.network.addresses})
	if err != nil {
		return err
	}
	if err := c.spec.Dir.WriteFile(leftoverFile, text, 0o600); err != nil {
		return fmt.Errorf("recording what the lab creates in the engine: %w", err)
	}
	c.made = true
	return nil
}

// disown removes the leftoverFile: what has our name in the engine is not ours to
// remove.
func (c *Cluster) disown() error {
	c.made = false
	return c.spec.Dir.RemoveAll(leftoverFile)
}

// leftoverOf returns what the last lab in dir may have left in an engine. It reports
// whether there is anything: another provider leaves nothing.
func leftoverOf(dir *private.Dir) (left leftover, ok bool, err error) {
	text, err := dir.ReadFile(leftoverFile)
	if errors.Is(err, fs.ErrNotExist) {
		return left, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &left)
	}
	if err != nil {
		return left, false, fmt.Errorf("reading what the lab has created in the engine, %s: %w", dir.Path(leftoverFile), err)
	}
	return left, true, nil
}

// RemoveLeftovers removes from the engine what the lab in dir has created there.
func RemoveLeftovers(ctx context.Context, dir *private.Dir, progress func(format string, args ...any)) error {
	left, ok, err := leftoverOf(dir)
	if err != nil || !ok {
		return err
	}
	progress("removing cluster %s and its network", left.Name)
	e := engine{left.DockerHost}
	if err := e.remove(ctx, clusterLabel+"="+left.Name, labLabel+"="+left.Name); err != nil {
		return fmt.Errorf("removing cluster %s (the engine at %s must be running): %w", left.Name, left.DockerHost, err)
	}
	return dir.RemoveAll(leftoverFile)
}

const (
	// clusterLabel is the label of kind's containers.
	clusterLabel = "io.x-k8s.kind.cluster"
	// labLabel is the label of the lab's other containers and networks.
	labLabel = "kube-iam.lab"
)

// Running returns the names of the containers of the lab in dir that run.
func Running(ctx context.Context, dir *private.Dir) ([]string, error) {
	left, ok, err := leftoverOf(dir)
	if err != nil || !ok {
		return nil, err
	}
	names, err := engine{left.DockerHost}.containers(ctx, left.Name)
	if err != nil {
		return nil, fmt.Errorf("listing the containers of cluster %s (the engine at %s must be running): %w", left.Name, left.DockerHost, err)
	}
	return names, nil
}

// containers returns the names of the running containers of a cluster. With the flag
// --all, it also returns those that have stopped.
func (e engine) containers(ctx context.Context, cluster string, flags ...string) ([]string, error) {
	var names []string
	for _, label := range []string{clusterLabel, labLabel} {
		found, err := e.run(ctx, append([]string{"ps", "--filter", "label=" + label + "=" + cluster, "--format", "{{.Names}}"}, flags...)...)
		if err != nil {
			return nil, err
		}
		names = append(names, strings.Fields(found)...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
