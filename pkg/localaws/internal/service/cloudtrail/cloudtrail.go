// Package cloudtrail is CloudTrail: it looks up the calls that the trail remembers, and
// keeps trails as records. Nothing is delivered to them.
package cloudtrail

import (
	"net/http"
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/trail"
)

// state is the service's section.
type state struct {
	Trails map[string]*record `json:"trails"` // by ARN
}

// Check validates a state that was read.
func (s *state) Check() error {
	return account.CheckAll("trail", s.Trails, func(r *record) (string, error) { return r.ARN, nil })
}

type service struct{ trail *trail.Trail }

// New returns CloudTrail, whose events are those of a trail.
func New(events *trail.Trail) api.Service {
	s := service{events}
	return api.Service{
		Name: "cloudtrail", Title: "CloudTrail",
		Protocol:  protocol.JSON11{Target: "CloudTrail_20131101", Title: "CloudTrail"},
		Translate: api.TranslateJSON11,
		State:     account.Part{New: func() account.Section { return &state{Trails: map[string]*record{}} }},
		Operations: slices.Concat([]api.Operation{
			api.Define(api.Definition[lookup]{
				Facts: api.Facts{Name: "LookupEvents", ReadOnly: true}, Decode: decode[lookup], Resource: api.Anything[lookup], Run: s.lookupEvents,
			}),
		}, recordOperations(), selectorOperations(), tagOperations()),
	}
}

func badRequest(code, message string) error {
	return api.NewError(http.StatusBadRequest, code, message)
}

func decode[In any](input api.Input) (in In, err error) {
	return protocol.DecodeJSON[In](input, "ValidationException")
}
