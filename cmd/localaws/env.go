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
		Short: "Print the environment for a shell to use the local AWS",
		Long: `Print the variables that make AWS CLIs and SDKs use the local AWS, for a POSIX
shell to evaluate. Programs of that shell cannot reach the real AWS. Variables that
would override them are unset. Your own ~/.aws is never touched.`,
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

// dialed is the address at which clients on this machine reach the server.
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

// startTimeout is how long env waits for a server that is still starting: a shell
// without the environment would use the real AWS.
const startTimeout = 10 * time.Second

// askRegion asks the server for its region, which also proves that it runs.
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
