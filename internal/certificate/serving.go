// Package certificate keeps the serving certificate of the webhook. It signs
// short-lived certificates with the CA of the state directory, or serves the
// certificate that an operator gives it, and follows the files while the server runs.
// It also verifies the certificates of clients.
package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kube-iam/authenticator/internal/file"
)

// Config is the configuration of [New]. Hostname must be set.
type Config struct {
	// Hostname is the name at which the kube-apiserver reaches the server, and Address
	// the address on which it listens.
	Hostname, Address string
	// Changed gets the certificates that a kube-apiserver is to trust, as PEM, when
	// they have changed. Nil ignores that.
	Changed func(trusted []byte)
	// Now is the clock. Nil means the system's.
	Now func() time.Time
	// Watch reports changes of the files. Nil means [file.Notify].
	Watch file.Watch
	// Log gets renewals and problems. Nil discards them.
	Log *slog.Logger
}

// Serving answers handshakes with a certificate that is renewed while the server runs.
type Serving struct {
	config    Config
	followers []*file.Follower
	// mu is held while inUse is replaced.
	mu    sync.Mutex
	inUse atomic.Pointer[inUse]
	// pending is why the files are not in use, and reported what was logged last.
	pending  error
	reported reported
}

// inUse is what a server serves now: a leaf, and the pair that it comes from.
type inUse struct {
	pair *Pair
	leaf *tls.Certificate
}

// New returns the serving certificate of a pair. [Serving.Run] follows its files.
func New(config Config, pair *Pair) (*Serving, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	s := &Serving{config: config}
	first, err := s.use(pair)
	if err != nil {
		return nil, err
	}
	s.inUse.Store(first)
	whole := func(content []byte) bool { block, _ := pem.Decode(content); return block != nil }
	for _, f := range []file.Config{{Path: pair.files.Cert, Content: pair.certPEM}, {Path: pair.files.Key, Content: pair.keyPEM}} {
		f.Limit, f.Whole, f.Watch, f.Log = file.MaxSettings, whole, config.Watch, config.Log
		s.followers = append(s.followers, file.Follow(f))
	}
	return s, nil
}

// use returns what to serve with a pair: a new leaf of a CA, or the pair itself.
func (s *Serving) use(pair *Pair) (*inUse, error) {
	if !pair.IsCA() {
		return &inUse{pair, &pair.tls}, nil
	}
	leaf, err := pair.issue([]string{s.config.Hostname, s.config.Address}, s.config.Now())
	if err != nil {
		return nil, err
	}
	return &inUse{pair, leaf}, nil
}

// Certificate returns the certificate for a handshake. It fits
// [tls.Config].GetCertificate.
func (s *Serving) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.current().leaf, nil
}

// Trusted returns, as PEM, the certificates that a kube-apiserver is to trust.
func (s *Serving) Trusted() []byte { return s.inUse.Load().pair.Trusted() }

// SurvivesRenewal reports whether a kube-apiserver that trusts those also trusts the
// serving certificates to come.
func (s *Serving) SurvivesRenewal() bool { return s.inUse.Load().pair.SurvivesRenewal() }

// Expires returns when the serving certificate expires, and when its CA does. The
// latter is zero unless the server signs its certificates itself.
func (s *Serving) Expires() (leaf, authority time.Time) {
	current := s.current()
	if current.pair.IsCA() {
		authority = current.pair.Expires()
	}
	return current.leaf.Leaf.NotAfter, authority
}

// current returns what is in use, after it has renewed a leaf that is due. That happens
// when somebody asks, and not by a timer, so that it is right after the clock was set
// and after the machine slept.
func (s *Serving) current() *inUse {
	current := s.inUse.Load()
	if !current.isDue(s.config.Now()) {
		return current
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if current = s.inUse.Load(); !current.isDue(s.config.Now()) {
		return current // another goroutine has renewed it
	}
	renewed, err := s.use(current.pair)
	if err != nil {
		s.config.Log.Error("renewing the serving certificate failed: the old one stays in use", "error", err)
		return current
	}
	s.inUse.Store(renewed)
	s.logRenewal(renewed)
	return renewed
}

// isDue reports whether a new leaf would be valid for longer, or sooner: one that was
// signed while the clock was ahead is not valid yet.
func (u *inUse) isDue(now time.Time) bool {
	leaf := u.leaf.Leaf
	isAhead := now.Before(leaf.NotBefore)
	isLate := !now.Before(leaf.NotAfter.Add(-leafLifetime/3)) && leaf.NotAfter.Before(u.pair.Expires())
	return u.pair.IsCA() && (isAhead || isLate)
}

func (s *Serving) logRenewal(renewed *inUse) {
	s.config.Log.Info("the serving certificate is renewed", "file", renewed.pair.files.Cert, "expires", renewed.leaf.Leaf.NotAfter)
}

// Refused returns why a kube-apiserver that trusts [Serving.Trusted] cannot connect; nil
// if it can.
func (s *Serving) Refused() error {
	current := s.current()
	err := current.verify(current.pair, s.config)
	if err == nil {
		return nil
	}
	remedy := current.pair.files.remedy()
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		remedy += ", or set --hostname to a name that it has"
	}
	return fmt.Errorf("no kube-apiserver can connect, because of the serving certificate %s: %w (%s)", current.pair.files.Cert, err, remedy)
}

// verify verifies the leaf as a kube-apiserver does that trusts the certificates of a
// pair.
func (u *inUse) verify(trusting *Pair, config Config) error {
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: config.Hostname, CurrentTime: config.Now()}
	for _, trusted := range trusting.trusted() {
		options.Roots.AddCert(trusted)
	}
	for _, sent := range u.pair.certificates {
		options.Intermediates.AddCert(sent)
	}
	_, err := u.leaf.Leaf.Verify(options)
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return untimely(invalid.Cert, options.CurrentTime)
	}
	return err
}

// An untimelyError is about a certificate outside of its validity.
type untimelyError struct {
	reason string
	now    time.Time
}

func (e *untimelyError) Error() string { return e.reason + e.clock() }

// clock is the part of the error that changes while the error lasts.
func (e *untimelyError) clock() string { return ", and the clock shows " + e.now.Format(time.DateOnly) }

func untimely(certificate *x509.Certificate, now time.Time) error {
	validity := "expired on " + certificate.NotAfter.Format(time.DateOnly)
	if now.Before(certificate.NotBefore) {
		validity = "is not valid before " + certificate.NotBefore.Format(time.DateTime)
	}
	return &untimelyError{fmt.Sprintf("%q %s", certificate.Subject.CommonName, validity), now}
}

// Ending returns a warning about a certificate that expires soon and that the server
// does not renew itself, or "". It says what to do.
func (s *Serving) Ending() string {
	const (
		replaceAuthority = 90 * 24 * time.Hour
		replaceLeaf      = 7 * 24 * time.Hour
	)
	pair, now := s.inUse.Load().pair, s.config.Now()
	what, before, remedy := "serving certificate", replaceLeaf, "renew both of its files: the server reads them without a restart"
	if pair.IsCA() {
		what, before, remedy = "CA of the serving certificates", replaceAuthority, "replace the CA in steps, since each kube-apiserver must trust the new one first"
	}
	life := pair.Expires().Sub(pair.first().NotBefore)
	if pair.Expires().Sub(now) >= min(before, life/5) {
		return ""
	}
	return fmt.Sprintf("the %s %s expires on %s: %s", what, pair.files.Cert, pair.Expires().Format(time.DateOnly), remedy)
}
