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
		Short: "Print what a shell needs to use the local AWS",
		Long: `Print the variables that lead AWS CLIs and SDKs to the local AWS, for a POSIX
shell to evaluate. With them the programs of the shell can never reach the real
AWS; what would outrank them is unset. Your own ~/.aws is never touched.`,
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

// dialed is where clients on this machine find the server.
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

// startTimeout is how long a server may take to start: one types env right after
// serve, and a shell that then had no environment would go on to the real AWS.
const startTimeout = 10 * time.Second

// askRegion asks the server, and so finds out that there is one.
func (p *place) askRegion(ctx context.Context, stderr io.Writer) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	defer cli.Waiting(stderr, "localaws: waiting for one to serve on "+p.listen)()
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
