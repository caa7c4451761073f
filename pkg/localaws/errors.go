package localaws

import (
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// Error is an error response of AWS.
type Error = api.Error

func newError(status int, code, message string) *Error { return api.NewError(status, code, message) }
