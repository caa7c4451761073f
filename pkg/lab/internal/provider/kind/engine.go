package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// An engine is a Docker engine. Like kind, it is used through the docker command.
type engine struct {
	// host is the command's DOCKER_HOST. Empty means the command's default.
	host string
}

// run runs a docker command and returns its output.
func (e engine) run(ctx context.Context, arguments ...string) (string, error) {
	return e.feed(ctx, nil, arguments...)
}

// feed runs a docker command with an input and returns its output.
func (e engine) feed(ctx context.Context, stdin io.Reader, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "docker", arguments...)
	if e.host != "" {
		command.Env = append(command.Environ(), "DOCKER_HOST="+e.host)
	}
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = stdin, &stdout, &stderr
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if said := lastLine(stderr.String()); said != "" {
			err = errors.New(said)
		}
		return stdout.String(), fmt.Errorf("docker %s: %w", arguments[0], err)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// check returns an error unless an engine answers.
func (e engine) check(ctx context.Context) error {
	const instead = "--provider envtest needs no Docker"
	if _, err := exec.LookPath("docker"); err != nil {
		return fmt.Errorf("the docker command is not on PATH: install Docker (%s)", instead)
	}
	_, err := e.run(ctx, "version", "--format", "{{.Server.Version}}")
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case strings.Contains(err.Error(), "permission denied"):
		return fmt.Errorf("this user is not allowed to use the Docker engine: join the group docker, or run as root (%s): %w", instead, err)
	default:
		return fmt.Errorf("no Docker engine answers: start one, or set DOCKER_HOST (%s): %w", instead, err)
	}
}

// checkPrivileges returns an error unless the engine runs privileged containers,
// as kind's nodes are.
func (e engine) checkPrivileges(ctx context.Context, image string) error {
	_, err := e.run(ctx, "run", "--rm", "--privileged", "--network", "none", "--entrypoint", "true", image)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("the Docker engine cannot run a privileged container of %s, as kind's nodes are (use a rootful engine, on a machine that allows it): %w", image, err)
	}
	return err
}

// has reports whether the engine has an image.
func (e engine) has(ctx context.Context, image string) bool {
	_, err := e.run(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	return err == nil
}

// remove removes all containers and networks that have one of the labels.
func (e engine) remove(ctx context.Context, labels ...string) error {
	for _, label := range labels {
		containers, err := e.run(ctx, "ps", "--all", "--quiet", "--filter", "label="+label)
		if err != nil {
			return err
		}
		if ids := strings.Fields(containers); len(ids) > 0 {
			if _, err := e.run(ctx, append([]string{"rm", "--force", "--volumes"}, ids...)...); err != nil {
				return err
			}
		}
	}
	for _, label := range labels {
		networks, err := e.run(ctx, "network", "ls", "--quiet", "--filter", "label="+label)
		if err != nil {
			return err
		}
		if ids := strings.Fields(networks); len(ids) > 0 {
			if _, err := e.run(ctx, append([]string{"network", "rm"}, ids...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// lastLine returns the last line of a command's output that does not refer to its
// help.
func lastLine(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Run 'docker ") && !strings.HasPrefix(line, "See 'docker ") {
			last = line
		}
	}
	return last
}
