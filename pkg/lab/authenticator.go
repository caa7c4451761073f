package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
)

// authenticatorDir, in the lab's directory, holds the authenticator's files.
const authenticatorDir = "authenticator"

// initAuthenticator runs `authenticator init`, which creates the serving certificate
// and the webhook's kubeconfig. Both must exist before kube-apiserver starts.
func (l *Lab) initAuthenticator(ctx context.Context) error {
	if err := l.dir.Mkdir(authenticatorDir); err != nil {
		return fmt.Errorf("making the authenticator's directory: %w", err)
	}
	command := exec.CommandContext(ctx, l.config.Authenticator, append([]string{"init"}, l.servingArguments()...)...)
	command.Env = os.Environ()
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("running authenticator init: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

// servingArguments returns the flags for the authenticator's address and files.
func (l *Lab) servingArguments() []string {
	host, port, _ := strings.Cut(strings.TrimPrefix(l.info.Webhook, "https://"), ":")
	return []string{
		"--cluster-id", ClusterName,
		"--state-dir", l.path(authenticatorDir),
		"--generate-kubeconfig", l.path(webhookKubeconfigFile),
		"--hostname", host,
		"--address", host,
		"--port", port,
	}
}

// tail returns the last lines of a log file, for an error message.
func tail(dir *private.Dir, name string) string {
	text, err := dir.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
