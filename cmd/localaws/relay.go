package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

const (
	// maxRelayed bounds the connections of one address; more clients wait.
	maxRelayed  = 256
	dialTimeout = 5 * time.Second
)

func newRelay() *cobra.Command {
	return &cobra.Command{
		Use:   "relay LISTEN=HOST:PORT...",
		Short: "Relay TCP connections to a local AWS that listens elsewhere",
		Long: `Relay TCP connections from each LISTEN address to the HOST:PORT after it, until
interrupted. Run in a container that has AWS's names on a container network, it
connects the network's clients to a local AWS on the host.

The local AWS sees all of them at the relay's address: --allow admits the relay,
and the relay admits every client that can reach it.`,
		Example: `  localaws relay :443=172.18.0.1:4567
  localaws relay :443=172.18.0.1:4567 :4566=172.18.0.1:4566`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			relays, err := parseRelays(args)
			if err != nil {
				return err
			}
			return serveRelays(cmd.Context(), relays, cmd.ErrOrStderr())
		},
	}
}

// A relay relays the connections of one address to another.
type relay struct{ listen, to string }

func parseRelays(texts []string) ([]relay, error) {
	var relays []relay
	for _, text := range texts {
		listen, to, _ := strings.Cut(text, "=")
		_, _, listenErr := net.SplitHostPort(listen)
		host, port, err := net.SplitHostPort(to)
		if listenErr != nil || err != nil || host == "" || port == "" {
			return nil, cli.Usagef("%q is not LISTEN=HOST:PORT, such as :443=172.18.0.1:4567", text)
		}
		relays = append(relays, relay{listen, to})
	}
	return relays, nil
}

// serveRelays serves until ctx ends, or one relay fails.
func serveRelays(ctx context.Context, relays []relay, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range relays {
		group.Go(func() error {
			listener, err := net.Listen("tcp", r.listen)
			if err != nil {
				return fmt.Errorf("listening: %w", err)
			}
			defer listener.Close()
			fmt.Fprintf(stderr, "localaws: relaying %s to %s\n", listener.Addr(), r.to)
			return r.serve(ctx, listener, log)
		})
	}
	return group.Wait()
}

// serve serves a listener until ctx ends, which closes every connection.
func (r relay) serve(ctx context.Context, listener net.Listener, log *slog.Logger) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	slots := make(chan struct{}, maxRelayed)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		client, err := listener.Accept()
		if ctx.Err() != nil && errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accepting a connection: %w", err)
		}
		connections.Go(func() {
			if err := r.carry(ctx, client); err != nil {
				log.Warn("not relayed", "from", client.RemoteAddr(), "to", r.to, "error", err)
			}
			<-slots
		})
	}
}

// carry relays a client's connection until either side is done, or ctx is.
func (r relay) carry(ctx context.Context, client net.Conn) error {
	defer client.Close()
	server, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", r.to)
	if err != nil {
		return err
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })()
	proxy.Splice(client, server)
	return nil
}
