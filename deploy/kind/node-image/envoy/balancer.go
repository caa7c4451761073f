package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// balancer spreads connections over the endpoints.
type balancer struct {
	client *http.Client
	// listener is nil while there is nothing to listen at. Only configure uses it.
	listener net.Listener
	listen   string

	mu        sync.Mutex
	endpoints []*endpoint
	next      int
}

// An endpoint is an API server.
type endpoint struct {
	address string
	well    bool
	// failures counts the checks that failed in a row.
	failures int
}

const (
	checkTimeout = 3 * time.Second
	dialTimeout  = time.Second
	// unwellAfter so many failed checks an endpoint gets no more connections; one
	// that succeeds is enough to get them again. Both are as kind sets them.
	unwellAfter = 2
)

func newBalancer() *balancer {
	return &balancer{client: &http.Client{
		Timeout: checkTimeout,
		Transport: &http.Transport{
			// The health check sends nothing secret, and clients verify the
			// certificate themselves, through the tunnel.
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true, // each check is to see whether one can connect
		},
	}}
}

// configure takes over what the files say now.
func (b *balancer) configure(f files) error {
	addresses, err := readEndpoints(f.clusters)
	if err != nil {
		return err
	}
	listen, err := readListener(f.listeners)
	if err != nil {
		return err
	}
	b.setEndpoints(addresses)
	return b.setListener(listen)
}

// setEndpoints keeps what is known of those that stay.
func (b *balancer) setEndpoints(addresses []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var endpoints []*endpoint
	for _, address := range addresses {
		i := slices.IndexFunc(b.endpoints, func(e *endpoint) bool { return e.address == address })
		if i >= 0 {
			endpoints = append(endpoints, b.endpoints[i])
			continue
		}
		log.Printf("endpoint %s is new", address)
		endpoints = append(endpoints, &endpoint{address: address})
	}
	b.endpoints = endpoints
}

func (b *balancer) setListener(listen string) error {
	if listen == b.listen {
		return nil
	}
	b.close()
	if listen == "" {
		return nil
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	log.Printf("listening at %s", listener.Addr())
	b.listener, b.listen = listener, listen
	go b.serve(listener)
	return nil
}

// close stops listening; connections that are open stay so.
func (b *balancer) close() {
	if b.listener != nil {
		_ = b.listener.Close()
	}
	b.listener, b.listen = nil, ""
}

// check asks all endpoints at once whether they are well.
func (b *balancer) check(ctx context.Context) {
	b.mu.Lock()
	endpoints := slices.Clone(b.endpoints)
	b.mu.Unlock()
	var asking sync.WaitGroup
	for _, e := range endpoints {
		asking.Go(func() { b.note(e, b.ask(ctx, e.address)) })
	}
	asking.Wait()
}

func (b *balancer) ask(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := b.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/healthz answers %s", response.Status)
	}
	return nil
}

func (b *balancer) note(e *endpoint, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		if !e.well {
			log.Printf("endpoint %s is well", e.address)
		}
		e.well, e.failures = true, 0
		return
	}
	if e.failures++; e.failures == unwellAfter {
		log.Printf("endpoint %s is not well: %v", e.address, err)
		e.well = false
	}
}

// order is the addresses to try for a connection: those that are well, beginning
// with the next in turn, and the others only after them: a check may be wrong.
func (b *balancer) order() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.endpoints) == 0 {
		return nil
	}
	b.next = (b.next + 1) % len(b.endpoints)
	turn := slices.Concat(b.endpoints[b.next:], b.endpoints[:b.next])
	slices.SortStableFunc(turn, func(x, y *endpoint) int { return cmp.Compare(rank(x), rank(y)) })
	var addresses []string
	for _, e := range turn {
		addresses = append(addresses, e.address)
	}
	return addresses
}

func rank(e *endpoint) int {
	if e.well {
		return 0
	}
	return 1
}

func (b *balancer) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Print(err)
			time.Sleep(dialTimeout) // too many files are open, say
			continue
		}
		go b.tunnel(client)
	}
}

// tunnel carries a connection to the first endpoint that takes it.
func (b *balancer) tunnel(client net.Conn) {
	defer client.Close()
	for _, address := range b.order() {
		server, err := net.DialTimeout("tcp", address, dialTimeout)
		if err != nil {
			continue
		}
		defer server.Close()
		splice(client, server)
		return
	}
	log.Printf("no endpoint takes the connection of %s", client.RemoteAddr())
}

// splice copies both ways, until both have ended.
func splice(client, server net.Conn) {
	var copying sync.WaitGroup
	copying.Go(func() { pass(server, client) })
	copying.Go(func() { pass(client, server) })
	copying.Wait()
}

// pass copies until the source ends, and passes the end on. After an error
// neither side has a use for the other.
func pass(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.Close()
		_ = from.Close()
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
