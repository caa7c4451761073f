package main

import (
	"context"
	"encoding/json"
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
	where.addFlags(command)
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
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.dialed()+"/_localaws/health", nil)
	if err != nil {
		return "", fmt.Errorf("--listen %q: %w", p.listen, err)
	}
	// Not through a proxy, which the environment may well name: this very one.
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("no localaws answers on %s (localaws serve starts one; --listen names another address): %w", p.listen, err)
	}
	defer answer.Body.Close()
	var health struct{ Region string }
	if err := json.NewDecoder(answer.Body).Decode(&health); err != nil || answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("what answers on %s is no localaws", p.listen)
	}
	return health.Region, nil
}
