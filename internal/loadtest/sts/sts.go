// Package sts is a stand-in for AWS STS under load. Clients reach it under AWS's
// names, each through its own CONNECT proxy (HTTPS_PROXY), and trust its CA.
//
// It does not verify signatures: that would cost more than everything that is
// measured, and the same for every client. Only the access key ID determines the
// identity of a request.
package sts

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Standin answers GetCallerIdentity.
type Standin struct {
	ca      []byte
	server  *http.Server
	tunnels *tunnels
	calls   atomic.Int64
	// refusal is how long it takes to refuse an unknown key.
	refusal atomic.Int64

	mu         sync.Mutex
	proxies    []io.Closer
	identities map[string]Identity
	conns      map[net.Conn]bool
	down       bool
	serving    sync.WaitGroup
}

// New starts a stand-in. It refuses unknown keys at once.
func New() (*Standin, error) {
	certificate, ca, err := newCertificate(Region, DeadRegion)
	if err != nil {
		return nil, fmt.Errorf("starting the STS stand-in: %w", err)
	}
	s := &Standin{ca: ca, identities: map[string]Identity{}, conns: map[net.Conn]bool{}, tunnels: newTunnels(&tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}})}
	// Killed clients leave handshakes behind: do not log them.
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0), ConnState: s.track}
	s.serving.Go(func() { _ = s.server.Serve(s.tunnels) }) // returns when closed
	return s, nil
}

// CA returns the certificate to trust, in PEM.
func (s *Standin) CA() []byte { return s.ca }

// Calls returns how many requests it has answered.
func (s *Standin) Calls() int64 { return s.calls.Load() }

// RefuseAfter sets how long refusals of unknown keys take.
func (s *Standin) RefuseAfter(d time.Duration) { s.refusal.Store(int64(d)) }

// SetDown makes STS unreachable, or reachable again: its connections are closed, and so
// are new ones.
func (s *Standin) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	if down {
		for conn := range s.conns {
			_ = conn.Close()
		}
	}
}

func (s *Standin) track(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.conns[conn] = true
		if s.down {
			_ = conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		delete(s.conns, conn)
	}
}

// Close closes all connections.
func (s *Standin) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.server.Close()}
	for _, proxy := range s.proxies {
		errs = append(errs, proxy.Close())
	}
	s.serving.Wait()
	return errors.Join(errs...)
}

// ServeHTTP answers as AWS STS does, in JSON.
func (s *Standin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.calls.Add(1)
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("X-K8s-Aws-Id") == "" {
		refuse(w, "SignatureDoesNotMatch")
		return
	}
	identity, ok := s.identityOf(keyOf(r.URL.RawQuery))
	if !ok {
		select {
		case <-time.After(time.Duration(s.refusal.Load())):
			refuse(w, "InvalidClientTokenId")
		case <-r.Context().Done():
		}
		return
	}
	fmt.Fprintf(w, `{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":%q,"Arn":%q,"UserId":%q},`+
		`"ResponseMetadata":{"RequestId":"01234567-89ab-cdef-0123-456789abcdef"}}}`, identity.Account, identity.ARN, identity.UserID)
}

func refuse(w http.ResponseWriter, code string) {
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, `{"Error":{"Code":%q,"Message":"refused by the stand-in","Type":"Sender"},"RequestId":"01234567-89ab-cdef-0123-456789abcdef"}`, code)
}
