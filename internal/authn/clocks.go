package authn

import (
	"errors"
	"fmt"
	"time"

	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// reject returns the decision about a token that is invalid without asking STS.
func (a *Authenticator) reject(bearer string, err error, now time.Time) *Decision {
	d := &Decision{Outcome: parseOutcome(err), Err: err}
	if isTime(err) {
		parts, _ := token.Inspect(bearer, a.config.Hosts, now) // the same error
		d.Claim = a.claim(parts)
		d.blame(a.config.Clocks.Read(a.config.Hosts.Origin(parts.Host), parts.Signed, now))
	}
	return d
}

// isTime reports whether the only thing wrong with a token is its time.
func isTime(err error) bool {
	return errors.Is(err, token.ErrExpired) || errors.Is(err, token.ErrNotYetValid)
}

// describe adds to a decision what the token claims, and whose clock is wrong if STS
// refused the token for its time.
func (a *Authenticator) describe(d *Decision, request token.Request, now time.Time) {
	d.Claim = a.claim(token.Parts{Region: request.Region(), Host: request.Host(), AccessKeyID: request.AccessKeyID()})
	refused, ok := errors.AsType[*verify.RefusedError](d.Err)
	if !ok || refused.Date.IsZero() {
		return
	}
	if reading := a.config.Clocks.ReadAt(refused.Date, request.Time(), now); !reading.TokenIsValid() {
		d.blame(reading)
	}
}

// blame adds whose clock is wrong.
func (d *Decision) blame(reading skew.Reading) {
	d.Clocks = &reading
	d.Err = fmt.Errorf("%w: %s", d.Err, reading)
}
