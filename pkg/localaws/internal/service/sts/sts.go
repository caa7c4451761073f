// Package sts is STS: who a caller is, and temporary credentials. IAM keeps the
// sessions that they belong to.
package sts

import (
	"net/http"
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// Protocol returns the protocol of STS.
func Protocol() api.Protocol {
	return protocol.Query{Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/", JSON: true}
}

// New returns STS.
func New() api.Service {
	return api.Service{
		State: account.Part{New: func() account.Section { return &state{} }},
		Name:  "sts", Title: "STS", Protocol: Protocol(), Translate: api.TranslateQuery, Bars: bars,
		Operations: slices.Concat(identityOperations(), roleOperations(), userOperations(), tokenOperations()),
	}
}

// bars returns an error if a session may not call an operation, whatever the policies
// say: no session may call the operations that create user sessions; a user's session
// may assume roles, and a federated user nothing.
func bars(caller *account.Caller, operation string) error {
	var barred bool
	switch {
	case caller.Session == nil || operation == "GetCallerIdentity":
	case caller.IsRole():
		barred = operation == "GetSessionToken" || operation == "GetFederationToken"
	default:
		barred = caller.IsFederated() || operation != "AssumeRole"
	}
	if barred {
		return denied("Cannot call " + operation + " with session credentials")
	}
	return nil
}

func badRequest(code, message string) error {
	return api.NewError(http.StatusBadRequest, code, message)
}

func denied(message string) error {
	return api.NewError(http.StatusForbidden, api.CodeAccessDenied, message)
}

func invalidParameter(message string) error { return badRequest("InvalidParameterValue", message) }

func validationError(message string) error { return badRequest("ValidationError", message) }

// credentials are the credentials of a session in a response.
type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId" json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      protocol.Timestamp
}

func credentialsOf(s *account.Session) credentials {
	return credentials{s.AccessKeyID, s.Secret, s.Token, protocol.Timestamp(s.Expires)}
}
