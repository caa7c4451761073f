package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func newEnv() *cobra.Command {
	var where place
	command := &cobra.Command{
		Use:   "env",
		Short: "Print what a shell needs to use the local AWS",
		Long: `Print the variables that lead AWS CLIs and SDKs to the local AWS, for a POSIX
shell to evaluate. With them the programs of the shell can never reach the real
AWS; what would outrank them is unset. Your own ~/.aws is never touched.`,
		Example: `  eval "$(localaws env)"
  aws sts get-caller-identity`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := where.files()
			if err != nil {
				return err
			}
			region, err := where.askRegion(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), files.Environment(where.dialed(), region).Shell(os.Environ()))
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

// askRegion asks the server, and so finds out that there is one.
func (p *place) askRegion(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var health struct{ Region string }
	err := p.askJSON(ctx, http.MethodGet, "health", nil, &health)
	return health.Region, err
}
