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

// containerFlags are addresses for clients on a container network, which find AWS
// by DNS and instance metadata by address, and use no proxy.
type containerFlags struct {
	tls      string
	metadata []string
}

func (f *containerFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.tls, "tls-listen", "", "address that serves AWS's own hostnames over TLS, for clients whose DNS resolves them to this server")
	flags.StringArrayVar(&f.metadata, "metadata-listen", nil, "additional address that serves the metadata of an EC2 instance, as INSTANCE=HOST:PORT (repeatable)")
}

// A service serves an address other than the endpoint.
type service struct {
	what          string
	flag, address string
	serve         func(ctx context.Context, listener net.Listener, allow []netip.Prefix) error
}

// services returns the services of a local AWS that the flags ask for.
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
		services = append(services, service{"AWS's own hostnames over TLS", "--tls-listen", f.tls, a.ServeTLS})
	}
	return services, nil
}

// run serves until ctx is done.
func (s service) run(ctx context.Context, allow []netip.Prefix, stderr io.Writer) error {
	listener, err := listen(s.flag, s.address, allow)
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

// listen listens on the address that a flag sets. It fails if clients of other
// machines could connect, but none are allowed.
func listen(flag, address string, allow []netip.Prefix) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening on %s: the address is in use, maybe by another localaws: set another with %s", address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("listening (%s): %w", flag, err)
	}
	if err := localaws.CheckAllow(listener, allow); err != nil {
		_ = listener.Close()
		return nil, cli.Usagef("%s %s: %w", flag, address, err)
	}
	return listener, nil
}
