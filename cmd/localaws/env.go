package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

func newEnv(env cli.Environment) *cobra.Command {
	var where place
	var leave bool
	command := &cobra.Command{
		Use:   "env",
		Short: "Print the shell variables that point AWS clients at the local AWS",
		Long: `Print POSIX shell commands. They set the variables that point AWS clients at the
local AWS, and unset those that point elsewhere. Your ~/.aws is never changed.
--unset prints how to leave; it does not restore what was set before.

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
			if err := where.checkCA(cmd.Context(), files); err != nil {
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

// checkCA returns an error if the files are not of the server that answers: with the CA
// or the keys of another one, every call fails.
func (p *place) checkCA(ctx context.Context, files localaws.Files) error {
	answer, err := p.ask(ctx, http.MethodGet, "ca.pem", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	served, err := io.ReadAll(io.LimitReader(answer.Body, maxCA))
	if err != nil {
		return fmt.Errorf("reading the CA of the server on %s: %w", p.listen, err)
	}
	ours, err := os.ReadFile(files.CA())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the CA: %w", err)
	}
	if !bytes.Equal(ours, served) {
		return fmt.Errorf("the files in %s are not of the localaws that answers on %s (name its directory with --state-dir, or unset %s if it is of one that has ended)",
			files.Dir, p.listen, localaws.DirVariable)
	}
	return nil
}

// maxCA is more than a CA's certificate takes.
const maxCA = 64 << 10

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
