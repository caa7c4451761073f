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

	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

// metadataListeners are addresses on loopback at which the metadata of instances
// is served, each at its own: clients ask there as if they ran on the instance.
// One is opened when somebody wants to know it.
type metadataListeners struct {
	mu      sync.Mutex
	serving int                          // how many calls of Serve have not ended
	open    map[string]*metadataListener // by the ID of the instance
}

type metadataListener struct {
	address string
	server  *http.Server
	ended   chan struct{}
}

// serve lets addresses be opened until end is called.
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

// retain closes all but those of the instances with the IDs. It is called with mu
// held.
func (l *metadataListeners) retain(ids []string) {
	for id, open := range l.open {
		if !slices.Contains(ids, id) {
			_ = open.server.Close()
			<-open.ended
			delete(l.open, id)
		}
	}
}

// addresses at which the metadata of those instances is served, by their IDs, and
// of no others. There are none while nobody serves.
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
			log.Error("serving the metadata of an instance ended", "address", l.address, "error", err)
		}
	}()
	return l, nil
}

// ServeIMDS answers on a listener as the metadata service of an instance (see
// [AWS.IMDS]) until ctx ends. Clients must be on this machine, or in one of the
// networks that allow names.
func (a *AWS) ServeIMDS(ctx context.Context, instanceID string, listener net.Listener, allow []netip.Prefix) error {
	if err := checkAllow(listener, allow); err != nil {
		return err
	}
	handler, err := a.IMDS(instanceID)
	if err != nil {
		return err
	}
	return a.serve(ctx, proxy.Only(listener, allow, a.log), byAddress(handler))
}

// byAddress refuses whoever asks by a name: a browser that was made to resolve a
// stranger's name to loopback still sends that name.
func byAddress(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
			http.Error(w, "localaws: the Host must be an address", http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// An instanceJSON is what the control endpoint tells of an instance.
type instanceJSON struct {
	Instance
	// MetadataEndpoint is what AWS_EC2_METADATA_SERVICE_ENDPOINT must be for a
	// client to be on the instance.
	MetadataEndpoint string `json:"metadataEndpoint,omitempty"`
}

// listInstances tells of all instances, and where their metadata is served.
func (a *AWS) listInstances() ([]instanceJSON, error) {
	all, ids := a.allInstances()
	addresses, err := a.metadataAddresses(ids)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if address, ok := addresses[all[i].ID]; ok {
			all[i].MetadataEndpoint = "http://" + address + "/" // without the slash AWS CLI 2.9 makes nonsense of it
		}
	}
	return all, nil
}

// allInstances, in the order of their launch, and the IDs of those that have
// metadata.
func (a *AWS) allInstances() (all []instanceJSON, ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, i := range sortedInstances(a.state.Instances) {
		all = append(all, instanceJSON{Instance: i.Instance})
		if i.hasMetadata() {
			ids = append(ids, i.ID)
		}
	}
	return all, ids
}
