// Package ec2 is EC2: instances and networks, as records. Nothing runs.
package ec2

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// state is the service's section.
type state struct {
	Instances map[string]*instance `json:"instances"`     // by ID
	Regions   map[string]*region   `json:"ec2,omitempty"` // by name
}

// Check validates a state that was read.
func (s *state) Check() error {
	fill(&s.Regions)
	for name, r := range s.Regions {
		if r == nil {
			return fmt.Errorf("EC2's region %q is null", name)
		}
		if err := r.check(name); err != nil {
			return fmt.Errorf("EC2's region %q: %w", name, err)
		}
	}
	return account.CheckAll("instance", s.Instances, func(i *instance) (string, error) { return i.ID, i.check() })
}

// New returns EC2 with the instances that are configured, which must be valid.
func New(configured []Instance) api.Service {
	return api.Service{
		Name: "ec2", Title: "EC2", Translate: translate,
		Protocol: protocol.EC2{Version: "2016-11-15", Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/"},
		State: account.Part{
			New: func() account.Section {
				return &state{Instances: map[string]*instance{}, Regions: map[string]*region{}}
			},
			Begin: func(tx *account.Tx) {
				if tx.Account == tx.Accounts()[0] {
					account.Get[*state](tx).add(tx, configured)
				}
			},
		},
		Operations: slices.Concat(
			instanceOperations(), profileOperations(), regionOperations(), tagOperations(), vpcOperations(), subnetOperations(), routeOperations(),
			gatewayOperations(), natGatewayOperations(), addressOperations(), groupOperations(), interfaceOperations(), templateOperations(), volumeOperations(), keyOperations(), typeOperations(),
		),
	}
}

// translate translates a common error.
func translate(e *api.Error) *api.Error {
	switch e.Code {
	case api.CodeAccessDenied:
		message := "You are not authorized to perform this operation. " + e.Message
		if encoded := e.Encoded(); encoded != "" {
			message += " Encoded authorization failure message: " + encoded
		}
		return api.NewError(http.StatusForbidden, "UnauthorizedOperation", message)
	case api.CodeExpiredToken:
		return api.NewError(http.StatusBadRequest, "RequestExpired", "Request has expired.")
	case api.CodeInvalidToken, api.CodeSignatureMismatch, api.CodeMissingToken:
		if e.Refused { // the message says why
			return api.Refuse(http.StatusUnauthorized, "AuthFailure", e.Message)
		}
		return api.NewError(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	case api.CodeServiceFailure:
		return api.NewError(e.Status, "InternalError", e.Message)
	case api.CodeSignatureSkewed:
		return api.NewError(http.StatusBadRequest, "RequestExpired", "Request has expired. "+e.Message)
	case api.CodeThrottled:
		return api.NewError(http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
	case api.CodeUnavailable:
		return api.NewError(e.Status, "Unavailable", e.Message)
	}
	return e
}

func refuse(code, message string) error { return api.NewError(http.StatusBadRequest, code, message) }

// unsupported returns the error for what localaws does not do, unlike AWS; the message
// says "localaws".
func unsupported(code, message string) error {
	return api.Refuse(http.StatusBadRequest, code, message)
}

// invalid returns the error for an invalid value of a parameter.
func invalid(message string) error { return refuse("InvalidParameterValue", message) }

// invalidCombination returns the error for parameters that exclude each other.
func invalidCombination(message string) error { return refuse("InvalidParameterCombination", message) }

func missing(parameter string) error {
	return refuse("MissingParameter", "The request must contain the parameter "+parameter)
}
