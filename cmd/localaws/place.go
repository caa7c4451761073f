package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

const defaultListen = "127.0.0.1:4566"

// place is where a local AWS listens and keeps its files. serve and its clients
// share the flags.
type place struct{ listen, stateDir string }

// addTo adds the flags to a client command, and to its subcommands, which then find
// the server of their shell. serve has only the flags: two servers must not share a
// directory.
func (p *place) addTo(command *cobra.Command, env cli.Environment) {
	p.addFlags(command.PersistentFlags())
	command.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return p.find(cmd.Flags(), env) }
}

// find finds the server of the shell that evaluated `localaws env`, or the one whose
// address is in the directory, unless the flags say otherwise.
func (p *place) find(flags *pflag.FlagSet, env cli.Environment) error {
	if flags.Changed("listen") {
		return nil
	}
	if !flags.Changed("state-dir") {
		p.stateDir = env.Get(localaws.DirVariable)
	}
	if p.stateDir == "" {
		return nil
	}
	files, err := p.files()
	if err != nil {
		return err
	}
	address, err := files.Address()
	if err != nil {
		return err
	}
	if address != "" {
		p.listen = address
	}
	return nil
}

func (p *place) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&p.listen, "listen", defaultListen, "address of the endpoint and proxy")
	flags.StringVar(&p.stateDir, "state-dir", "", "directory of the files that clients read: CA, AWS configuration and credentials (default: a directory named after the address in the user's cache directory)")
}

// files returns the files of the state directory.
func (p *place) files() (localaws.Files, error) {
	if _, _, err := net.SplitHostPort(p.listen); err != nil {
		return localaws.Files{}, cli.Usagef("--listen %q: expected HOST:PORT, such as %s", p.listen, defaultListen)
	}
	if p.stateDir != "" {
		dir, err := filepath.Abs(p.stateDir)
		if err != nil {
			return localaws.Files{}, fmt.Errorf("finding the state directory: %w", err)
		}
		return localaws.Files{Dir: dir}, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return localaws.Files{}, fmt.Errorf("finding a state directory (name one with --state-dir): %w", err)
	}
	return localaws.Files{Dir: filepath.Join(cache, "localaws", strings.ReplaceAll(p.listen, ":", "_"))}, nil
}
