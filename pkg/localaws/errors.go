package localaws

import (
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// Error is an error response of AWS.
type Error = api.Error
