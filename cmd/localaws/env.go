package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
)

func newEnv(env cli.Environment) *cobra.Command {
	var where place
	command := &cobra.Command{
		Use:   "env",
		Short: "Print the shell variables that point AWS clients at the local AWS",
		Long: `Print the variables that point AWS CLIs and SDKs at the local AWS, for a POSIX
shell to evaluate. With them, AWS clients in that shell never reach the real AWS;
variables that take precedence over them are unset. Your ~/.aws is never changed.`,
		Example: `  eval "$(localaws env)"
  aws sts get-caller-identity`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := where.files()
			if err != nil {
				return err
			}
			region, err := where.askRegion(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), files.Environment(where.dialed(), region).Shell(env))
			return nil
		},
	}
	where.addFlags(command.Flags())
	return command
}

// dialed returns the address at which clients on this machine reach the server.
func (p *place) dialed() string {
	host, port, err := net.SplitHostPort(p.listen)
	if err != nil {
		return p.listen
	}
	if address, err := netip.ParseAddr(host); host == "" || err == nil && address.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// startTimeout limits the wait for a server to start. Users run env right after
// serve, and without its output their shell would reach the real AWS.
const startTimeout = 10 * time.Second

// askRegion returns the server's region. It waits until the server answers.
func (p *place) askRegion(ctx context.Context, stderr io.Writer) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	defer cli.Waiting(stderr, "localaws: waiting for a server on "+p.listen)()
	for {
		var health struct{ Region string }
		err := p.askJSON(ctx, http.MethodGet, "health", nil, &health)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return health.Region, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", err
		}
	}
}
