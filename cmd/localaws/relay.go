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
	// maxRelayed limits the connections of one address; more clients wait.
	maxRelayed  = 256
	dialTimeout = 5 * time.Second
	// minWait and maxWait bound the wait after a failure to accept a connection, which
	// doubles from failure to failure.
	minWait = 5 * time.Millisecond
	maxWait = time.Second
)

func newRelay() *cobra.Command {
	return &cobra.Command{
		Use:   "relay LISTEN=HOST:PORT...",
		Short: "Relay TCP connections to a local AWS that listens elsewhere",
		Long: `Relay TCP connections from each LISTEN address to its HOST:PORT until
interrupted. Run it in a container that has AWS's hostnames as aliases on its network:
it then connects the clients of that network to a local AWS on the host.

The local AWS sees all connections come from the relay: its --allow admits the
relay, and the relay admits every client that reaches it.`,
		Example: `  localaws relay :443=172.18.0.1:4567
  localaws relay :443=172.18.0.1:4567 :4566=172.18.0.1:4566`,
		Args: cli.NamedArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			relays, err := parseRelays(args)
			if err != nil {
				return err
			}
			return serveRelays(cmd.Context(), relays, cmd.ErrOrStderr())
		},
	}
}

// A relay forwards the connections of one address to another.
type relay struct{ listen, to string }

func parseRelays(texts []string) ([]relay, error) {
	var relays []relay
	for _, text := range texts {
		listen, to, _ := strings.Cut(text, "=")
		_, _, listenErr := net.SplitHostPort(listen)
		host, port, err := net.SplitHostPort(to)
		if listenErr != nil || err != nil || host == "" || port == "" {
			return nil, cli.Usagef("%q: expected LISTEN=HOST:PORT, such as :443=172.18.0.1:4567", text)
		}
		relays = append(relays, relay{listen, to})
	}
	return relays, nil
}

// serveRelays serves the relays until ctx is done or one of them fails.
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

// serve accepts connections until ctx is done, which closes all of them. A failure to
// accept one, such as too many open files, passes.
func (r relay) serve(ctx context.Context, listener net.Listener, log *slog.Logger) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	slots := make(chan struct{}, maxRelayed)
	var wait time.Duration
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		client, err := listener.Accept()
		switch {
		case ctx.Err() != nil && errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accepting a connection: %w", err)
		case err != nil:
			<-slots
			wait = min(max(2*wait, minWait), maxWait)
			log.Warn("accepting a connection failed", "to", r.to, "retry-in", wait, "error", err)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
			continue
		}
		wait = 0
		connections.Go(func() {
			if err := r.carry(ctx, client); err != nil {
				log.Warn("connection not relayed", "from", client.RemoteAddr(), "to", r.to, "error", err)
			}
			<-slots
		})
	}
}

// carry forwards a client's connection until both sides end or ctx is done.
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
