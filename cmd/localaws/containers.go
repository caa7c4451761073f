package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// containerFlags are addresses for the clients of a container network. Such a
// client finds AWS by DNS and its metadata by an address, and knows no proxy.
type containerFlags struct {
	tls      string
	metadata []string
}

func (f *containerFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.tls, "tls-listen", "", "address on which AWS's own names are answered over TLS, for clients that DNS leads here")
	flags.StringArrayVar(&f.metadata, "metadata-listen", nil, "address on which the metadata of an EC2 instance is served besides its port on loopback, as INSTANCE=HOST:PORT (repeatable)")
}

// A service is what is served on an address besides the endpoint.
type service struct {
	what          string
	flag, address string
	serve         func(ctx context.Context, listener net.Listener, allow []netip.Prefix) error
}

// services that the flags ask for of a local AWS.
func (f *containerFlags) services(a *localaws.AWS) ([]service, error) {
	addresses, err := byName("--metadata-listen", "INSTANCE=HOST:PORT", f.metadata)
	if err != nil {
		return nil, err
	}
	var services []service
	for _, id := range slices.Sorted(maps.Keys(addresses)) {
		if _, err := a.IMDS(id); err != nil {
			return nil, cli.Usagef("--metadata-listen %s=%s: %w", id, addresses[id], err)
		}
		serve := func(ctx context.Context, listener net.Listener, allow []netip.Prefix) error {
			return a.ServeIMDS(ctx, id, listener, allow)
		}
		services = append(services, service{"the metadata of instance " + id, "--metadata-listen", addresses[id], serve})
	}
	if f.tls != "" {
		services = append(services, service{"AWS's own names over TLS", "--tls-listen", f.tls, a.ServeTLS})
	}
	return services, nil
}

// run a service until ctx ends.
func (s service) run(ctx context.Context, allow []netip.Prefix, stderr io.Writer) error {
	listener, err := listen(s.flag, s.address)
	if err != nil {
		return err
	}
	defer listener.Close()
	fmt.Fprintf(stderr, "localaws: serving %s on %s\n", s.what, listener.Addr())
	if err := s.serve(ctx, listener, allow); err != nil {
		return fmt.Errorf("%s %s: %w", s.flag, s.address, err)
	}
	return nil
}

// listen on an address that a flag gives.
func listen(flag, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening on %s: something listens there already; is it another localaws? %s takes another address", address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("listening (%s): %w", flag, err)
	}
	return listener, nil
}
