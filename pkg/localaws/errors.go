package localaws

import (
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// Error is an error response of AWS.
type Error = api.Error

func newError(status int, code, message string) *Error { return api.NewError(status, code, message) }

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
