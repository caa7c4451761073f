package localaws

import "net/http"

// Error is an error response of AWS.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code identifies the error to programs.
	Code string
	// Message is for people.
	Message string

	// denial is what DecodeAuthorizationMessage returns for the error; nil for most.
	denial *denial
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func newError(status int, code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

// Errors that many operations of IAM return.

func noSuchEntity(message string) *Error {
	return newError(http.StatusNotFound, "NoSuchEntity", message)
}

func alreadyExists(message string) *Error {
	return newError(http.StatusConflict, "EntityAlreadyExists", message)
}

func limitExceeded(message string) *Error {
	return newError(http.StatusConflict, "LimitExceeded", message)
}

func validationError(message string) *Error {
	return newError(http.StatusBadRequest, "ValidationError", message)
}

func invalidInput(message string) *Error {
	return newError(http.StatusBadRequest, "InvalidInput", message)
}

// deleteConflict returns the error for an entity that still has something attached.
func deleteConflict(what string) *Error {
	return newError(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete "+what+" first.")
}

// Codes that every service has, by their names in IAM and STS.
const (
	codeAccessDenied        = "AccessDenied"
	codeExpiredToken        = "ExpiredToken"
	codeIncompleteSignature = "IncompleteSignature"
	codeInvalidToken        = "InvalidClientTokenId"
	codeMissingToken        = "MissingAuthenticationToken"
	codeServiceFailure      = "ServiceFailure"
	codeSignatureMismatch   = "SignatureDoesNotMatch"
	codeThrottled           = "Throttling"
	codeUnavailable         = "ServiceUnavailable"
	// codeSignatureSkewed is internal: IAM and STS answer SignatureDoesNotMatch,
	// others another code.
	codeSignatureSkewed = "signature skewed"
)

func signatureMismatch() *Error {
	return newError(http.StatusForbidden, codeSignatureMismatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

// ofQuery translates a common error to IAM and STS.
func (e *Error) ofQuery() *Error {
	if e.Code == codeSignatureSkewed {
		return newError(e.Status, codeSignatureMismatch, e.Message)
	}
	return e
}

// ofEKS translates a common error to EKS.
func (e *Error) ofEKS() *Error {
	status, code := e.Status, e.Code
	switch e.Code {
	case codeAccessDenied:
		code = "AccessDeniedException"
	case codeExpiredToken:
		code = "ExpiredTokenException"
	case codeIncompleteSignature:
		code = "IncompleteSignatureException"
	case codeInvalidToken:
		code = "UnrecognizedClientException"
	case codeMissingToken:
		code = "MissingAuthenticationTokenException"
	case codeSignatureMismatch, codeSignatureSkewed:
		code = "InvalidSignatureException"
	case codeServiceFailure:
		code = "ServerException"
	case codeThrottled:
		status, code = http.StatusTooManyRequests, "TooManyRequestsException"
	case codeUnavailable:
		code = "ServiceUnavailableException"
	}
	return newError(status, code, e.Message)
}

// ofCloudTrail translates a common error to CloudTrail.
func (e *Error) ofCloudTrail() *Error {
	switch e.Code {
	case codeServiceFailure:
		return newError(e.Status, "InternalFailure", e.Message)
	case codeThrottled:
		return newError(http.StatusBadRequest, "ThrottlingException", e.Message)
	}
	return e.ofEKS()
}

// ofEC2 translates a common error to EC2.
func (e *Error) ofEC2(a *AWS) *Error {
	switch e.Code {
	case codeAccessDenied:
		return newError(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation. "+e.Message+a.encoded(e.denial))
	case codeExpiredToken:
		return newError(http.StatusBadRequest, "RequestExpired", "Request has expired.")
	case codeInvalidToken, codeSignatureMismatch, codeMissingToken:
		return newError(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	case codeServiceFailure:
		return newError(e.Status, "InternalError", e.Message)
	case codeSignatureSkewed:
		return newError(http.StatusBadRequest, "RequestExpired", "Request has expired. "+e.Message)
	case codeThrottled:
		return newError(http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
	case codeUnavailable:
		return newError(e.Status, "Unavailable", e.Message)
	}
	return e
}
