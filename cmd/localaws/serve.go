package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

func newServe() *cobra.Command {
	var options serveOptions
	command := &cobra.Command{
		Use:   "serve",
		Short: "Serve until interrupted",
		Long: `Serve a local AWS until interrupted. The user administrator, whose key is in the
profiles default and admin, may do all.

What the account holds is in memory, and gone at the end, unless --state names a
file for it: then it is there at the next start, whatever the end. The file holds
secrets, and one server at a time has it. --state-dir is another thing, what
clients of this server need to find and trust it.

Clients must be on this machine. For containers, listen on their network's
address and name the network with --allow. Those that know no proxy are led here
by DNS, to --tls-listen: localaws relay helps.`,
		Example: `  localaws serve
  localaws serve --state ~/localaws.json
  localaws serve --listen 127.0.0.1:4567 --region us-west-2
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
	flags.StringVar(&options.state, "state", "", "file that keeps what the account holds, made if there is none (default: memory)")
	flags.StringSliceVar(&options.allow, "allow", nil, "network of clients that may connect besides this machine, as a CIDR (repeatable)")
	flags.StringVar(&options.account, "account-id", "231144931069", "the AWS account")
	flags.StringVar(&options.region, "region", "eu-west-2", "region that clients use unless told otherwise")
	options.clusters.addFlags(flags)
	options.containers.addFlags(flags)
	flags.StringSliceVar(&options.instances, "instance", nil, "EC2 instance there is, as ID=PRIVATE-DNS-NAME (repeatable)")
	return command
}

type serveOptions struct {
	place
	allow           []string
	account, region string
	instances       []string
	clusters        clusterFlags
	containers      containerFlags
	state           string
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
	listener, err := listen("--listen", o.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	// Whoever holds the port holds the directory: only now may it be written.
	ca, err := files.LoadOrCreateCA(time.Now())
	if err != nil {
		return err
	}
	administrator, err := files.Administrator() // so that shells of before go on
	if err != nil {
		return err
	}
	a, err := localaws.New(localaws.Config{
		AccountID: o.account, Region: o.region, Instances: instances, CA: ca, Administrator: administrator,
		StateFile: o.state, Log: slog.New(slog.NewTextHandler(stderr, nil)),
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
	if err := files.Write(a); err != nil {
		return err
	}
	kept := "in memory"
	if o.state != "" {
		kept = "kept in " + o.state
	}
	fmt.Fprintf(stderr, "localaws: serving account %s, %s, on %s; in a shell: eval \"$(localaws env%s)\"\n", o.account, kept, listener.Addr(), o.envFlags())
	group, serving := errgroup.WithContext(ctx)
	group.Go(func() error { return a.Serve(serving, listener, allow) })
	for _, s := range services {
		group.Go(func() error { return s.run(serving, allow, stderr) })
	}
	return errors.Join(group.Wait(), a.Close())
}

// envFlags are what env must be given to find this server.
func (o *serveOptions) envFlags() string {
	var flags strings.Builder
	if o.listen != defaultListen {
		flags.WriteString(" --listen " + o.listen)
	}
	if o.stateDir != "" {
		flags.WriteString(" --state-dir " + o.stateDir)
	}
	return flags.String()
}

func parseNetworks(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, cli.Usagef("--allow %q is not a CIDR, such as 172.18.0.0/16", text)
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
			return nil, cli.Usagef("--instance %q is not ID=PRIVATE-DNS-NAME", text)
		}
		instances = append(instances, localaws.Instance{ID: id, PrivateDNSName: name})
	}
	return instances, nil
}
