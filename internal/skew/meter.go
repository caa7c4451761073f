// Package skew finds out whose clock makes the time of a token invalid: that of this
// machine, or that of the machine that made the token. The clock of AWS STS decides.
package skew

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/kube-iam/authenticator/pkg/token/verify"
)

const (
	// Tolerance is the largest difference to the clock of STS that does no harm: a client
	// replaces its token a minute before the token expires.
	Tolerance = time.Minute
	// fresh is how long a comparison holds, since a clock can be set at any time. It is
	// also the shortest time between two requests of Run.
	fresh = 10 * time.Second
)

// Config of [New].
type Config struct {
	// Machine describes this machine in sentences: "this machine".
	Machine string
	// Date returns the time of STS at an origin, such as https://sts.eu-west-2.amazonaws.com.
	Date func(ctx context.Context, origin string) (time.Time, error)
	// Log gets a line when the clock becomes wrong or right. Nil discards it.
	Log *slog.Logger
	// Now is the clock of this machine. Nil means time.Now.
	Now func() time.Time
}

// A Meter compares the clock of this machine with that of STS. A nil Meter knows nothing.
// It is safe for concurrent use.
type Meter struct {
	config Config
	last   atomic.Pointer[comparison]
	wanted chan string
	wrong  atomic.Bool
}

// A comparison is how far this machine's clock was ahead of that of STS at a time.
type comparison struct {
	ahead time.Duration
	at    time.Time
}

// New returns a meter.
func New(config Config) *Meter {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Meter{config: config, wanted: make(chan string, 1)}
}

// Observe compares the clocks at an answer of STS. It fits [verify.Config].Observe.
func (m *Meter) Observe(o verify.Observation) {
	if !o.Date.IsZero() {
		m.compare(o.Date)
	}
}

func (m *Meter) compare(date time.Time) {
	now := m.config.Now()
	ahead := time.Duration(seconds(now.Sub(date))) * time.Second
	if last := m.last.Load(); last != nil && last.ahead == ahead && now.Sub(last.at).Abs() < time.Second {
		return // as most answers show
	}
	m.last.Store(&comparison{ahead, now})
	wrong := ahead.Abs() >= Tolerance
	if m.wrong.Swap(wrong) == wrong {
		return
	}
	if wrong {
		m.config.Log.Error("the clock of this machine is wrong: set it, for example with timedatectl set-ntp true", "aheadOfSTS", ahead)
	} else {
		m.config.Log.Info("the clock of this machine is right again", "aheadOfSTS", ahead)
	}
}

// Ahead returns how far this machine's clock was ahead of that of STS when they were
// last compared, and reports whether they were.
func (m *Meter) Ahead() (ahead time.Duration, known bool) {
	if m == nil {
		return 0, false
	}
	c := m.last.Load()
	if c == nil {
		return 0, false
	}
	return c.ahead, true
}

// isFresh reports whether the clocks were compared just now.
func (m *Meter) isFresh() bool {
	c := m.last.Load()
	return c != nil && m.config.Now().Sub(c.at).Abs() < fresh
}

// Read returns what is known about the clocks, for a token that claims to have been signed
// at a time. If the clocks were not compared just now, Run asks STS at the origin, for the
// next reading.
func (m *Meter) Read(origin string, signed, now time.Time) Reading {
	r := Reading{AgeSeconds: seconds(now.Sub(signed))}
	if m == nil {
		return r
	}
	r.Machine = m.config.Machine
	if m.isFresh() {
		ahead, _ := m.Ahead()
		r.AheadSeconds = new(seconds(ahead))
		return r
	}
	select {
	case m.wanted <- origin:
	default: // Run is about to ask
	}
	return r
}

// ReadAt returns the reading for a token that STS refused at a time of STS.
func (m *Meter) ReadAt(date, signed, now time.Time) Reading {
	r := Reading{AgeSeconds: seconds(now.Sub(signed)), AheadSeconds: new(seconds(now.Sub(date)))}
	if m != nil {
		r.Machine = m.config.Machine
	}
	return r
}

// Compare asks STS at an origin for its time, unless the clocks were compared just now.
// It returns without a comparison if STS does not answer.
func (m *Meter) Compare(ctx context.Context, origin string) {
	if m == nil || m.isFresh() {
		return
	}
	if date, err := m.config.Date(ctx, origin); err == nil {
		m.compare(date)
	}
}

// Run asks STS for its time when a reading needs it, until ctx is done.
func (m *Meter) Run(ctx context.Context) {
	for {
		select {
		case origin := <-m.wanted:
			m.Compare(ctx, origin)
		case <-ctx.Done():
			return
		}
		select { // anybody can send a token with a wrong time
		case <-time.After(fresh):
		case <-ctx.Done():
			return
		}
	}
}
