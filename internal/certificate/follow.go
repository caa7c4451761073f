package certificate

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// checkPeriod is how often the certificate is checked, and files that could not
	// be used are tried again.
	checkPeriod = time.Hour
	// reportPeriod is how often a lasting problem is logged.
	reportPeriod = 24 * time.Hour
)

// reported is the problem that was logged last, and when.
type reported struct {
	text string
	at   time.Time
}

// Name returns what is followed.
func (s *Serving) Name() string { return "certificate" }

// Reread makes Run read the files again soon. A CA then signs a new leaf.
func (s *Serving) Reread() {
	s.followers[0].Reread() // then all files are read
}

// Run follows the files until ctx is done, and logs what is wrong with the certificate.
func (s *Serving) Run(ctx context.Context) {
	var following sync.WaitGroup
	defer following.Wait()
	changed := make(chan struct{}, 1)
	for _, follower := range s.followers {
		following.Go(func() {
			follower.Run(ctx, func([]byte, error) {
				select {
				case changed <- struct{}{}:
				default: // reload reads both files
				}
			})
		})
	}
	ticker := time.NewTicker(checkPeriod)
	defer ticker.Stop()
	for {
		s.report()
		select {
		case <-ctx.Done():
			return
		case <-changed:
			s.reload(ctx)
		case <-ticker.C:
			if s.pending != nil {
				s.reload(ctx)
			}
		}
	}
}

// reload reads the files, and uses them unless a kube-apiserver would refuse them and
// accepts what is in use. So the old pair stays in use while the new certificate and
// its key are written one after the other, and if somebody writes a wrong one.
func (s *Serving) reload(ctx context.Context) {
	old := s.current()
	pair, err := old.pair.files.reload(ctx, s.config.Now())
	if ctx.Err() != nil {
		return
	}
	var next *inUse
	if err == nil {
		next, err = s.use(pair)
	}
	if err == nil {
		err = s.refusal(old, next)
	}
	if s.pending = err; err != nil {
		return // report logs it
	}
	s.mu.Lock()
	s.inUse.Store(next)
	s.mu.Unlock()
	if !bytes.Equal(next.leaf.Leaf.Raw, old.leaf.Leaf.Raw) { // one change of two files is read twice
		s.logRenewal(next)
	}
	if trusted := pair.Trusted(); s.config.Changed != nil && !bytes.Equal(trusted, old.pair.Trusted()) {
		s.config.Changed(trusted)
	}
}

// refusal returns why a kube-apiserver that connects today would not if next were used.
// A kube-apiserver reads its kubeconfig only when it starts, so it still trusts the old
// CA.
func (s *Serving) refusal(old, next *inUse) error {
	if old.verify(old.pair, s.config) != nil {
		return nil // nothing to lose
	}
	if !old.pair.IsCA() {
		return next.verify(next.pair, s.config)
	}
	err := next.verify(old.pair, s.config)
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		err = errors.New("no kube-apiserver trusts it before it restarts (append the new CA to the old one first, and restart each kube-apiserver)")
	}
	return err
}

// report logs what is wrong: at once, and then once a day.
func (s *Serving) report() {
	log, text := s.config.Log.Warn, s.Ending()
	var detail []any
	switch refused := s.Refused(); {
	case refused != nil:
		log, text = s.config.Log.Error, refused.Error()
	case s.pending != nil:
		text = "the files of the serving certificate cannot be used: the last ones stay in use"
		detail = []any{"file", s.inUse.Load().pair.files.Cert, "error", s.pending}
	}
	now := s.config.Now()
	problem := text + fmt.Sprint(detail...)
	if untimely, ok := errors.AsType[*untimelyError](errors.Join(s.Refused(), s.pending)); ok {
		problem = strings.ReplaceAll(problem, untimely.clock(), "")
	}
	if problem != s.reported.text || now.Sub(s.reported.at) >= reportPeriod {
		s.reported = reported{problem, now}
		if text != "" {
			log(text, detail...)
		}
	}
}
