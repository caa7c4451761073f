package verify

import (
	"fmt"
	"time"
)

// RefusedError means that STS rejects the token. It is the only error of a
// verification that means "no".
type RefusedError struct {
	// Status is the HTTP status, Code the AWS error code: InvalidClientTokenId,
	// SignatureDoesNotMatch, ExpiredToken, …
	Status int
	Code   string
	// Date is the time of the answer by the clock of STS. It is zero if STS did not say it.
	Date time.Time
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("STS refused the token: %s (HTTP %d)", e.Code, e.Status)
}

// ThrottledError means that STS throttles the requests.
type ThrottledError struct {
	Status int
	Code   string
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("STS throttles requests: %s (HTTP %d)", e.Code, e.Status)
}

// UnreachableError means that STS did not answer.
type UnreachableError struct {
	// Err is the reason. It contains no part of the request's URL.
	Err error
}

func (e *UnreachableError) Error() string { return "reaching STS: " + e.Err.Error() }
func (e *UnreachableError) Unwrap() error { return e.Err }

// AnswerError means that the answer does not say who signed the token: it is from a
// proxy, or STS failed.
type AnswerError struct {
	Status int
	Reason string
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("reading the answer of STS (HTTP %d): %s", e.Status, e.Reason)
}
