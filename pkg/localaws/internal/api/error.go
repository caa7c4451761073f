package api

import (
	"errors"
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// An Error is an error response of AWS.
type Error struct {
	// Status is the HTTP status; zero closes the connection without a response.
	Status int
	// Code identifies the error to programs.
	Code string
	// Message is for people.
	Message string
	// Refused reports that localaws does not support what was asked, unlike AWS.
	Refused bool

	// denied is the reason of an AccessDenied; nil for most.
	denied *account.DeniedError
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Encoded returns what DecodeAuthorizationMessage decodes; empty for most errors.
func (e *Error) Encoded() string {
	if e.denied == nil {
		return ""
	}
	return e.denied.Encoded()
}

// NewError returns an error response.
func NewError(status int, code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

// Refuse returns the error response for what localaws does not support. Its message
// says "localaws", and the trail marks it: see the event's AdditionalEventData.
func Refuse(status int, code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message, Refused: true}
}

// Codes that every service has, by their names in IAM and STS.
const (
	CodeAccessDenied        = "AccessDenied"
	CodeExpiredToken        = "ExpiredToken"
	CodeIncompleteSignature = "IncompleteSignature"
	CodeInvalidToken        = "InvalidClientTokenId"
	CodeMissingToken        = "MissingAuthenticationToken"
	CodeServiceFailure      = "ServiceFailure"
	CodeSignatureMismatch   = "SignatureDoesNotMatch"
	CodeThrottled           = "Throttling"
	CodeUnavailable         = "ServiceUnavailable"
	// CodeSignatureSkewed is internal: IAM and STS answer SignatureDoesNotMatch,
	// others another code.
	CodeSignatureSkewed = "signature skewed"
)

// ErrorOf returns the response for what an operation returned: an Error, or why the
// caller has no permission. Any other error is a failure of the service.
func ErrorOf(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if denied, ok := errors.AsType[*account.DeniedError](err); ok {
		return &Error{Status: http.StatusForbidden, Code: CodeAccessDenied, Message: denied.Error(), denied: denied}
	}
	return NewError(http.StatusInternalServerError, CodeServiceFailure, err.Error())
}

// TranslateQuery translates a common error to IAM and STS.
func TranslateQuery(e *Error) *Error {
	if e.Code == CodeSignatureSkewed {
		return NewError(e.Status, CodeSignatureMismatch, e.Message)
	}
	return e
}

// TranslateJSON translates a common error to the services that speak JSON.
func TranslateJSON(e *Error) *Error {
	status, code := e.Status, e.Code
	switch e.Code {
	case CodeAccessDenied:
		code = "AccessDeniedException"
	case CodeExpiredToken:
		code = "ExpiredTokenException"
	case CodeIncompleteSignature:
		code = "IncompleteSignatureException"
	case CodeInvalidToken:
		code = "UnrecognizedClientException"
	case CodeMissingToken:
		code = "MissingAuthenticationTokenException"
	case CodeSignatureMismatch, CodeSignatureSkewed:
		code = "InvalidSignatureException"
	case CodeServiceFailure:
		code = "ServerException"
	case CodeThrottled:
		status, code = http.StatusTooManyRequests, "TooManyRequestsException"
	case CodeUnavailable:
		code = "ServiceUnavailableException"
	}
	return NewError(status, code, e.Message)
}

// TranslateJSON11 translates a common error to the services that speak JSON 1.1, whose
// errors of clients all have status 400.
func TranslateJSON11(e *Error) *Error {
	switch e.Code {
	case CodeServiceFailure:
		return NewError(e.Status, "InternalFailure", e.Message)
	case CodeThrottled:
		return NewError(http.StatusBadRequest, "ThrottlingException", e.Message)
	}
	translated := TranslateJSON(e)
	if translated.Status == http.StatusForbidden {
		translated.Status = http.StatusBadRequest
	}
	return translated
}
