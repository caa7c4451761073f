package limit

import (
	"slices"
	"strings"
	"time"
)

const (
	// A circuit opens after failuresToOpen failures in a row, with keysToOpen access
	// keys among them: a problem of one client is not the host's.
	failuresToOpen = 5
	keysToOpen     = 3
	// minCoolDown doubles with every probe that fails, up to maxCoolDown.
	minCoolDown = time.Second
	maxCoolDown = 30 * time.Second
)

// A breaker is the circuit breaker of one host. Only connection failures and
// time-outs open it, and any HTTP answer closes it. While it is open, a probe is due
// after each cool-down. The zero value is closed.
//
// The lock of the Limiter guards it.
type breaker struct {
	// answers counts all answers, failures those since the last answer.
	answers, failures int
	keys              []string
	// coolDown is zero while the circuit is closed.
	coolDown time.Duration
	probeAt  time.Time
}

func (b *breaker) isOpen() bool { return b.coolDown > 0 }

func (b *breaker) isProbeDue(now time.Time) bool { return !now.Before(b.probeAt) }

func (b *breaker) answered() { *b = breaker{answers: b.answers + 1} }

// failed records that the host did not answer a request, and reports whether that
// opens the circuit.
func (b *breaker) failed(accessKeyID string, probe bool, now time.Time) (opens bool) {
	switch {
	case b.isOpen() && probe:
		b.coolDown = min(2*b.coolDown, maxCoolDown)
	case b.isOpen():
		return false // a late failure, or a known key's
	default:
		b.failures++
		if len(b.keys) < keysToOpen && !slices.Contains(b.keys, accessKeyID) {
			b.keys = append(b.keys, strings.Clone(accessKeyID))
		}
		if b.failures < failuresToOpen || len(b.keys) < keysToOpen {
			return false
		}
		b.coolDown, opens = minCoolDown, true
	}
	b.probeAt = now.Add(b.coolDown)
	return opens
}
