package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/kube-iam/authenticator/internal/file"
)

// maxSent is the limit for the certificates that a client sends. Whoever sends many that
// fit each other makes each request cost up to 100 signatures, without any that is valid.
const maxSent = 5

// Clients verifies the certificates of clients with a file of CAs, which it follows.
type Clients struct {
	path     string
	pool     atomic.Pointer[x509.CertPool]
	follower *file.Follower
	log      *slog.Logger
}

// NewClients reads a file of CAs. [Clients.Run] follows it. Watch is as in [Config]. If the
// file cannot be used, it also returns an error, and no client is accepted until it can.
func NewClients(ctx context.Context, path string, watch file.Watch, log *slog.Logger) (*Clients, error) {
	c := &Clients{path: path, log: log}
	content, err := file.Read(ctx, path, file.MaxSettings)
	if err == nil {
		if err = c.use(content); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		content, err = nil, fmt.Errorf("reading the CAs of clients: %w", err) // Run logs why it cannot be used
	}
	whole := func(content []byte) bool { _, err := parsePool(content); return err == nil }
	c.follower = file.Follow(file.Config{Path: path, Limit: file.MaxSettings, Content: content, Whole: whole, Watch: watch, Log: log})
	return c, err
}

func (c *Clients) use(content []byte) error {
	pool, err := parsePool(content)
	if err == nil {
		c.pool.Store(pool)
	}
	return err
}

// parsePool parses PEM. A block that is not a certificate is an error: a CA that is
// left out would refuse its clients.
func parsePool(content []byte) (*x509.CertPool, error) {
	pool, found := x509.NewCertPool(), false
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("unexpected %s (expected certificates only)", block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		pool.AddCert(certificate)
		found = true
	}
	if !found {
		return nil, errors.New("expected certificates as PEM")
	}
	return pool, nil
}

// Name returns what is followed.
func (c *Clients) Name() string { return "client CAs" }

// Reread makes Run read the file again soon.
func (c *Clients) Reread() { c.follower.Reread() }

// Run follows the file until ctx is done. The last good CAs stay in force.
func (c *Clients) Run(ctx context.Context) {
	c.follower.Run(ctx, func(content []byte, err error) {
		if err == nil {
			err = c.use(content)
		}
		switch {
		case err == nil:
			c.log.Info("read the client CAs", "file", c.path)
		case c.pool.Load() == nil:
			c.log.Error("the file of client CAs cannot be used: no client is accepted until it can", "file", c.path, "error", err)
		default:
			c.log.Error("the file of client CAs cannot be used: the last ones stay in force until a restart", "file", c.path, "error", err)
		}
	})
}

// Ready returns an error if no client is accepted, since the file could not be used yet.
func (c *Clients) Ready() error {
	if c.pool.Load() == nil {
		return fmt.Errorf("the client CAs in %s are not read yet", c.path)
	}
	return nil
}

// Verify verifies the certificate of a connection's client, each time it is asked: a CA
// that is gone from the file, and a certificate that has expired, end the client's
// access at once.
func (c *Clients) Verify(connection *tls.ConnectionState) error {
	if err := c.Ready(); err != nil {
		return err
	}
	if err := verifyClient(connection, c.pool.Load()); err != nil {
		return fmt.Errorf("%w (expected a client certificate of the CAs in %s)", err, c.path)
	}
	return nil
}

func verifyClient(connection *tls.ConnectionState, cas *x509.CertPool) error {
	if connection == nil || len(connection.PeerCertificates) == 0 {
		return errors.New("the client has no certificate")
	}
	if n := len(connection.PeerCertificates); n > maxSent {
		return fmt.Errorf("the client sends %d certificates (at most %d)", n, maxSent)
	}
	leaf := connection.PeerCertificates[0]
	options := x509.VerifyOptions{
		Roots: cas, Intermediates: x509.NewCertPool(), CurrentTime: time.Now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, sent := range connection.PeerCertificates[1:] {
		options.Intermediates.AddCert(sent)
	}
	if _, err := leaf.Verify(options); err != nil {
		return fmt.Errorf("the client's certificate %q: %w", leaf.Subject.CommonName, err)
	}
	return nil
}
