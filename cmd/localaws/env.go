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
	var leave bool
	command := &cobra.Command{
		Use:   "env",
		Short: "Print the shell variables that point AWS clients at the local AWS",
		Long: `Print the variables that point AWS clients at the local AWS, for a POSIX shell to
evaluate, and unset those that would point them elsewhere. Your ~/.aws is never
changed. --unset prints how to leave; it does not restore what was set before.

The variables name a proxy, its CA, and the directory of this server, which the
other localaws commands of the shell then use. Clients that honor HTTPS_PROXY never
reach the real AWS: AWS CLIs, boto3, the AWS SDK for Go, terraform, eksctl, curl.

These clients ignore the proxy; give them AWS_ENDPOINT_URL=http://HOST:PORT:
  - Node.js older than 22.21, and Node.js 23
  - the AWS SDK for JavaScript v3, with any Node.js: it makes its own agents`,
		Example: `  eval "$(localaws env)"
  aws sts get-caller-identity
  eval "$(localaws env --unset)"`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := where.files()
			if err != nil {
				return err
			}
			if leave {
				fmt.Fprint(cmd.OutOrStdout(), files.Environment("", "").Inverse().Shell(env))
				return nil
			}
			region, err := where.askRegion(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), files.Environment(dialed(where.listen), region).Shell(env))
			return nil
		},
	}
	where.addTo(command, env)
	command.Flags().BoolVar(&leave, "unset", false, "print what unsets the variables instead; needs no server")
	return command
}

// dialed returns the address at which clients on this machine reach a server that
// listens on an address.
func dialed(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
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
