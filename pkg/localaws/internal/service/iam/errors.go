package iam

import (
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

func newError(status int, code, message string) error { return api.NewError(status, code, message) }

// invalid returns the error for a parameter that breaks a constraint.
func invalid(name, why string) error { return protocol.Invalid(name, why) }

// Errors that many operations of IAM return.

func noSuchEntity(message string) error {
	return newError(http.StatusNotFound, "NoSuchEntity", message)
}

func alreadyExists(message string) error {
	return newError(http.StatusConflict, "EntityAlreadyExists", message)
}

func limitExceeded(message string) error {
	return newError(http.StatusConflict, "LimitExceeded", message)
}

func validationError(message string) error {
	return newError(http.StatusBadRequest, "ValidationError", message)
}

func invalidInput(message string) error {
	return newError(http.StatusBadRequest, "InvalidInput", message)
}

// deleteConflict returns the error for an entity that still has something attached.
func deleteConflict(what string) error {
	return newError(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete "+what+" first.")
}
