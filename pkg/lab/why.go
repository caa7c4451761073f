package lab

import (
	"context"
	"os/exec"
	"path/filepath"

	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// Why returns the command that shows the denials of the lab's authenticator. In a
// cluster of kind, it asks the static pods. The arguments are flags of `authenticator
// why`, and environ is the current environment.
func (i Info) Why(ctx context.Context, environ []string, arguments ...string) *exec.Cmd {
	where := []string{"why", "--state-dir", filepath.Join(i.Dir, provider.AuthenticatorDir)}
	if i.Provider == Kind {
		where = []string{"why", "--kubeconfig", i.Kubeconfig, "--context", administratorContext}
	}
	command := exec.CommandContext(ctx, i.Authenticator, append(where, arguments...)...)
	command.Env = i.Environ(environ)
	return command
}
