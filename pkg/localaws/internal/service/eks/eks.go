// Package eks is EKS: clusters and what is in them, as records. Nothing runs but the
// API servers that are bound to clusters.
package eks

import (
	"net/http"
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// state is the service's section.
type state struct {
	Clusters map[string]*cluster `json:"clusters"` // by ARN
}

// Check validates a state that was read.
func (s *state) Check() error {
	return account.CheckAll("cluster", s.Clusters, func(c *cluster) (string, error) { return c.ARN, c.check() })
}

type service struct{ servers *Servers }

// New returns EKS.
func New(servers *Servers) api.Service {
	s := service{servers}
	return api.Service{
		Name: "eks", Title: "EKS", Protocol: protocol.REST{Title: "EKS"}, Translate: api.TranslateJSON,
		State: account.Part{New: func() account.Section { return &state{Clusters: map[string]*cluster{}} }},
		Operations: slices.Concat(
			s.clusterOperations(), clusterUpdateOperations(), updateOperations(), versionOperations(), insightOperations(), tagOperations(),
			accessEntryOperations(), accessPolicyOperations(), nodegroupOperations(), fargateOperations(), addonOperations(),
			addonVersionOperations(), podIdentityOperations(), identityProviderOperations(),
		),
	}
}

func invalid(message string) error { return badRequest("InvalidParameterException", message) }

// unsupported returns the refusal of what localaws does not support.
func unsupported(message string) error {
	return api.Refuse(http.StatusBadRequest, "InvalidParameterException", message)
}

func badRequest(code, message string) error {
	return api.NewError(http.StatusBadRequest, code, message)
}

func notFound(message string) error {
	return api.NewError(http.StatusNotFound, "ResourceNotFoundException", message)
}

func inUse(message string) error {
	return api.NewError(http.StatusConflict, "ResourceInUseException", message)
}
