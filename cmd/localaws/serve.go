package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/shell"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

func newServe() *cobra.Command {
	var options serveOptions
	command := &cobra.Command{
		Use:   "serve",
		Short: "Serve a local AWS until interrupted",
		Long: `Serve a local AWS until interrupted. The IAM user "administrator" has full access; the
profiles default and admin use its key.

With --account set several times, the accounts are separate, as on AWS: to work in
another account, assume a role whose trust policy allows it. The profiles default and
admin are for the first account, and admin-ID for each further one.

The state is in memory and lost when the server stops, unless --state names a
file: it then survives a restart, even after a crash. The file contains secrets,
and only one server at a time can use it. --state-dir is different: it holds the
files with which clients find and trust this server.

Clients must be on this machine. For containers, listen on their network's
address and name the network with --allow. For clients that use no proxy, set
--tls-listen and point DNS at it; localaws relay helps.`,
		Example: `  localaws serve
  localaws serve --state ~/localaws.json
  localaws serve --listen 127.0.0.1:4567 --region us-west-2
  localaws serve --account 111122223333 --account 444455556666
  localaws serve --partition aws-cn
  localaws serve --instance i-0123456789abcdef0=ip-10-0-1-23.eu-west-2.compute.internal
  localaws serve --cluster-endpoint kubedemy=https://127.0.0.1:6443 --cluster-ca kubedemy=ca.pem
  localaws serve --listen 172.18.0.1:4566 --allow 172.18.0.0/16
  localaws serve --tls-listen 172.18.0.1:4567 --allow 172.18.0.0/16`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return options.serve(cmd.Context(), cmd.ErrOrStderr())
		},
	}
	flags := command.Flags()
	options.addFlags(flags)
	flags.StringVar(&options.state, "state", "", "file that keeps the accounts, created if missing (default: memory)")
	flags.StringSliceVar(&options.allow, "allow", nil, "network, as a CIDR, whose clients may connect in addition to those on this machine (repeatable)")
	flags.StringSliceVar(&options.accounts, "account", []string{"231144931069"}, "ID of an AWS account, 12 digits (repeatable, up to 32)")
	flags.StringVar(&options.region, "region", "", "default region of the clients (default eu-west-2, or the main region of --partition)")
	flags.StringVar(&options.partition, "partition", "", "partition of AWS: aws, aws-cn, aws-us-gov and so on; regions of others are refused (default: that of --region)")
	options.clusters.addFlags(flags)
	options.containers.addFlags(flags)
	flags.StringSliceVar(&options.instances, "instance", nil, "EC2 instance to create, as ID=PRIVATE-DNS-NAME (repeatable)")
	return command
}

type serveOptions struct {
	place
	allow      []string
	accounts   []string
	region     string
	partition  string
	instances  []string
	clusters   clusterFlags
	containers containerFlags
	state      string
}

func (o *serveOptions) serve(ctx context.Context, stderr io.Writer) error {
	files, err := o.files()
	if err != nil {
		return err
	}
	allow, err := parseNetworks(o.allow)
	if err != nil {
		return err
	}
	instances, err := parseInstances(o.instances)
	if err != nil {
		return err
	}
	apiServers, err := o.clusters.parse()
	if err != nil {
		return err
	}
	listener, err := listen("--listen", o.listen, allow)
	if err != nil {
		return err
	}
	defer listener.Close()
	unlock, err := lockDir(files.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	ca, err := files.LoadOrCreateCA(time.Now())
	if err != nil {
		return err
	}
	accounts, err := o.parseAccounts(files)
	if err != nil {
		return err
	}
	if o.region == "" && o.partition == "" {
		o.region = "eu-west-2"
	}
	a, err := localaws.New(localaws.Config{
		AccountID: accounts[0].ID, Administrator: accounts[0].Administrator, Accounts: accounts[1:],
		Partition: o.partition, Region: o.region, Instances: instances, CA: ca, StateFile: o.state, Log: slog.New(slog.NewTextHandler(stderr, nil)),
	})
	if err != nil {
		return err
	}
	if err := registerClusters(a, apiServers); err != nil {
		return err
	}
	services, err := o.containers.services(a)
	if err != nil {
		return err
	}
	if err := errors.Join(files.Write(a), files.Announce(dialed(listener.Addr().String()))); err != nil {
		return err
	}
	kept := "in memory"
	if o.state != "" {
		kept = "kept in " + o.state
	}
	noun := "account"
	if len(accounts) > 1 {
		noun = "accounts"
	}
	fmt.Fprintf(stderr, "localaws: serving %s %s, %s, on %s; in a shell: eval \"$(%s env%s)\"\n", noun, strings.Join(o.accounts, ", "), kept, listener.Addr(), shell.Quote(os.Args[0]), o.envFlags())
	fmt.Fprintf(stderr, "localaws: its CA expires at %s; restart before then\n", ca.Expires().UTC().Format(time.RFC3339))
	group, serving := errgroup.WithContext(ctx)
	group.Go(func() error { return a.Serve(serving, listener, allow) })
	for _, s := range services {
		group.Go(func() error { return s.run(serving, allow, stderr) })
	}
	return errors.Join(group.Wait(), a.Close())
}

// lockDir takes a state directory for this process alone, until unlock is called or the
// process ends: another server would replace the files that the clients of this one read.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("locking the state directory: %w", err)
	case !locked:
		return nil, fmt.Errorf("another localaws uses the state directory %s: set another with --state-dir", dir)
	}
	return func() { _ = lock.Close() }, nil
}

// parseAccounts returns the accounts. Their administrators keep their keys, so that
// shells set up before a restart still work.
func (o *serveOptions) parseAccounts(files localaws.Files) ([]localaws.Account, error) {
	if len(o.accounts) == 0 {
		return nil, cli.Usagef("--account: expected the ID of an account, such as 231144931069")
	}
	var accounts []localaws.Account
	for _, id := range o.accounts {
		administrator, err := files.AdministratorOf(id)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, localaws.Account{ID: id, Administrator: administrator})
	}
	return accounts, nil
}

// envFlags returns the flags with which env finds this server.
func (o *serveOptions) envFlags() string {
	var flags strings.Builder
	if o.listen != defaultListen {
		flags.WriteString(" --listen " + shell.Quote(o.listen))
	}
	if o.stateDir != "" {
		flags.WriteString(" --state-dir " + shell.Quote(o.stateDir))
	}
	return flags.String()
}

func parseNetworks(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, cli.Usagef("--allow %q: expected a CIDR, such as 172.18.0.0/16", text)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

func parseInstances(texts []string) ([]localaws.Instance, error) {
	var instances []localaws.Instance
	for _, text := range texts {
		id, name, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, cli.Usagef("--instance %q: expected ID=PRIVATE-DNS-NAME", text)
		}
		instances = append(instances, localaws.Instance{ID: id, PrivateDNSName: name})
	}
	return instances, nil
}
