package verify

import "fmt"

// RefusedError means that STS does not accept the token: the only error of
// verification that says "no".
type RefusedError struct {
	// Status is the HTTP status, Code the AWS error code: InvalidClientTokenId,
	// SignatureDoesNotMatch, ExpiredToken, …
	Status int
	Code   string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("STS refused the token: %s (HTTP %d)", e.Code, e.Status)
}

// ThrottledError means that STS has had too many requests from the account.
type ThrottledError struct {
	Status int
	Code   string
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("STS throttles requests: %s (HTTP %d)", e.Code, e.Status)
}

// UnreachableError means that there was no answer.
type UnreachableError struct {
	// Err says why, and holds no part of the request's URL.
	Err error
}

func (e *UnreachableError) Error() string { return "reaching STS: " + e.Err.Error() }
func (e *UnreachableError) Unwrap() error { return e.Err }

// AnswerError means that there was an answer which STS does not give: an error
// of a proxy, a failure of STS itself, nonsense.
type AnswerError struct {
	Status int
	Reason string
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("understanding the answer of STS (HTTP %d): %s", e.Status, e.Reason)
}
