// Package cloudtrail is CloudTrail: it looks up the calls that the trail remembers.
package cloudtrail

import (
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/strictjson"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/trail"
)

type service struct{ trail *trail.Trail }

// New returns CloudTrail. Every region returns the events of all regions.
func New(events *trail.Trail) api.Service {
	s := service{events}
	return api.Service{
		Name: "cloudtrail", Title: "CloudTrail",
		Protocol:  protocol.JSON11{Target: "CloudTrail_20131101", Title: "CloudTrail"},
		Translate: translate,
		Operations: []api.Operation{
			api.Define(api.Definition[lookup]{
				Facts: api.Facts{Name: "LookupEvents", ReadOnly: true}, Decode: decode, Resource: api.Anything[lookup], Run: s.lookupEvents,
			}),
		},
	}
}

// translate translates a common error.
func translate(e *api.Error) *api.Error {
	switch e.Code {
	case api.CodeServiceFailure:
		return api.NewError(e.Status, "InternalFailure", e.Message)
	case api.CodeThrottled:
		return api.NewError(http.StatusBadRequest, "ThrottlingException", e.Message)
	}
	return api.TranslateJSON(e)
}

func refuse(code, message string) error { return api.NewError(http.StatusBadRequest, code, message) }

func decode(input api.Input) (asked lookup, err error) {
	if err := strictjson.Decode(input.Request.Content, &asked); err != nil {
		return asked, api.Refuse(http.StatusBadRequest, "ValidationException", "localaws does not support this request: "+err.Error())
	}
	return asked, nil
}
