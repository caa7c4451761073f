package localaws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

// metadataListeners are loopback addresses that serve the metadata of instances, one
// each, for clients that act as if they ran on the instance. A listener opens when a
// client first asks for its address.
type metadataListeners struct {
	mu      sync.Mutex
	serving int                          // number of running Serve calls
	open    map[string]*metadataListener // by instance ID
}

type metadataListener struct {
	address string
	server  *http.Server
	ended   chan struct{}
}

// serve allows listeners to open until the caller calls end.
func (l *metadataListeners) serve() (end func()) {
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
func (l *metadataListeners) retain(ids []string) {
	for id, open := range l.open {
		if !slices.Contains(ids, id) {
			_ = open.server.Close()
			<-open.ended
			delete(l.open, id)
		}
	}
}

// metadataAddresses returns the metadata addresses of these instances by ID, and
// closes the listeners of others. It returns none while no Serve runs.
func (a *AWS) metadataAddresses(ids []string) (map[string]string, error) {
	l := &a.metadataListeners
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retain(ids)
	addresses := map[string]string{}
	if l.serving == 0 {
		return addresses, nil
	}
	for _, id := range ids {
		if _, ok := l.open[id]; !ok {
			opened, err := listenForMetadata(a.newMetadataService(id), a.log)
			if err != nil {
				return nil, fmt.Errorf("serving the metadata of instance %s: %w", id, err)
			}
			if l.open == nil {
				l.open = map[string]*metadataListener{}
			}
			l.open[id] = opened
		}
		addresses[id] = l.open[id].address
	}
	return addresses, nil
}

func listenForMetadata(handler http.Handler, log *slog.Logger) (*metadataListener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &metadataListener{
		address: listener.Addr().String(),
		server: &http.Server{
			Handler:           byAddress(handler),
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       30 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    64 * 1024,
		},
		ended: make(chan struct{}),
	}
	go func() {
		defer close(l.ended)
		if err := l.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving instance metadata failed", "address", l.address, "error", err)
		}
	}()
	return l, nil
}

// ServeIMDS serves the metadata of an instance (see [AWS.IMDS]) on a listener until
// ctx ends. Clients must be on this machine or in one of the allowed networks.
func (a *AWS) ServeIMDS(ctx context.Context, instanceID string, listener net.Listener, allow []netip.Prefix) error {
	if err := CheckAllow(listener, allow); err != nil {
		return err
	}
	handler, err := a.IMDS(instanceID)
	if err != nil {
		return err
	}
	return a.serve(ctx, proxy.Only(listener, allow, a.log), byAddress(handler))
}

// byAddress rejects requests by host name: a browser that resolves a foreign name to
// loopback (DNS rebinding) still sends that name.
func byAddress(handler http.Handler) http.Handler {
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

// An instanceJSON is an instance in the response of the control endpoint.
type instanceJSON struct {
	Instance
	// MetadataEndpoint is the AWS_EC2_METADATA_SERVICE_ENDPOINT for clients that act
	// as if on the instance.
	MetadataEndpoint string `json:"metadataEndpoint,omitempty"`
}

// listInstances returns all instances and their metadata addresses.
func (a *AWS) listInstances() ([]instanceJSON, error) {
	all, ids := a.allInstances()
	addresses, err := a.metadataAddresses(ids)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if address, ok := addresses[all[i].ID]; ok {
			all[i].MetadataEndpoint = "http://" + address + "/" // AWS CLI 2.9 breaks without the slash
		}
	}
	return all, nil
}

// allInstances returns the instances in launch order, and the IDs of those with
// metadata.
func (a *AWS) allInstances() (all []instanceJSON, ids []string) {
	a.account.View(func(*account.Tx) {
		for _, i := range sortedInstances(a.state.Instances) {
			all = append(all, instanceJSON{Instance: i.Instance})
			if i.hasMetadata() {
				ids = append(ids, i.ID)
			}
		}
	})
	return all, ids
}
