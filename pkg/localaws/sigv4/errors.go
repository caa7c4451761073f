package sigv4

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrMissing means that the request is not signed.
	ErrMissing = errors.New("request is missing Authentication Token")
	// ErrMismatch means that another key signed the request, or that it changed on
	// its way.
	ErrMismatch = errors.New("the request signature we calculated does not match the signature you provided; check your AWS Secret Access Key and signing method")
)

// IncompleteError means that the signature is malformed or incomplete.
type IncompleteError struct{ Reason string }

func (e *IncompleteError) Error() string { return e.Reason }

// SkewError means that the request's time is too far from now.
type SkewError struct{ Signed, Now time.Time }

// Error returns AWS's message.
func (e *SkewError) Error() string {
	signed, now := e.Signed.Format(TimeFormat), e.Now.Format(TimeFormat)
	if e.Signed.Before(e.Now) {
		return fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 15 min.)", signed, e.Now.Add(-MaxSkew).Format(TimeFormat), now)
	}
	return fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 15 min.)", signed, e.Now.Add(MaxSkew).Format(TimeFormat), now)
}
