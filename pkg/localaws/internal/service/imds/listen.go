package imds

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/httpserver"
)

// listeners are loopback addresses that serve the metadata of instances, one each, for
// clients that act as if they ran on the instance. A listener opens when a client first
// asks for its address.
type listeners struct {
	mu      sync.Mutex
	serving int                  // number of running Serve calls
	open    map[string]*listener // by instance ID
}

type listener struct {
	address string
	server  *http.Server
	ended   chan struct{}
}

// Serve allows listeners to open until the caller calls end.
func (s *Service) Serve() (end func()) {
	l := &s.listeners
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serving++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.serving--; l.serving == 0 {
			l.retain(nil)
		}
	}
}

// retain closes the listeners of all other instances. The caller holds mu.
func (l *listeners) retain(ids []string) {
	for id, open := range l.open {
		if !slices.Contains(ids, id) {
			_ = open.server.Close()
			<-open.ended
			delete(l.open, id)
		}
	}
}

// Addresses returns the addresses of those of the instances that have metadata, by ID,
// and closes the listeners of others. It returns none while no Serve runs.
func (s *Service) Addresses(ids []string) (map[string]string, error) {
	s.account.View(func(tx *account.Tx) {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
			_, i, ok := find(tx, id)
			return !ok || !i.HasMetadata()
		})
	})
	l := &s.listeners
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retain(ids)
	addresses := map[string]string{}
	if l.serving == 0 {
		return addresses, nil
	}
	for _, id := range ids {
		if _, ok := l.open[id]; !ok {
			opened, err := listen(s.handler(id), s.log)
			if err != nil {
				return nil, fmt.Errorf("serving the metadata of instance %s: %w", id, err)
			}
			if l.open == nil {
				l.open = map[string]*listener{}
			}
			l.open[id] = opened
		}
		addresses[id] = l.open[id].address
	}
	return addresses, nil
}

func listen(handler http.Handler, log *slog.Logger) (*listener, error) {
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &listener{
		address: on.Addr().String(),
		server:  httpserver.New(ByAddress(handler), log),
		ended:   make(chan struct{}),
	}
	go func() {
		defer close(l.ended)
		if err := l.server.Serve(on); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving instance metadata failed", "address", l.address, "error", err)
		}
	}()
	return l, nil
}

// ByAddress rejects requests by host name: a browser that resolves a foreign name to
// loopback (DNS rebinding) still sends that name.
func ByAddress(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
			http.Error(w, "localaws: expected an IP address as Host", http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, r)
	})
}
