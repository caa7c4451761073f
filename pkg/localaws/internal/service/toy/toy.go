// Package toy is the smallest service with a state: counters. Tests show with it that
// a service is one package, and one line where services are listed.
package toy

import (
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/strictjson"
)

// state is the service's section.
type state struct {
	Counters map[string]int `json:"toyCounters"`
}

// Check accepts every state.
func (s *state) Check() error { return nil }

type counter struct{ Name string }

// New returns the service.
func New() api.Service {
	return api.Service{
		Name: "toy", Title: "Toy", Protocol: protocol.JSON11{Target: "Toy", Title: "Toy"}, Translate: api.TranslateJSON,
		State: account.Part{New: func() account.Section { return &state{Counters: map[string]int{}} }},
		Operations: []api.Operation{
			api.Define(api.Definition[counter]{Facts: api.Facts{Name: "Count"}, Decode: decode, Resource: resource, Run: count}),
			api.Define(api.Definition[counter]{Facts: api.Facts{Name: "Read", ReadOnly: true}, Decode: decode, Resource: resource, Run: read}),
		},
	}
}

func decode(input api.Input) (in counter, err error) {
	if err := strictjson.Decode(input.Request.Content, &in); err != nil {
		return in, api.NewError(http.StatusBadRequest, "ValidationException", err.Error())
	}
	return in, nil
}

func resource(tx *account.Tx, in counter) string { return tx.ARN("toy", tx.Region, "counter/"+in.Name) }

func count(tx *account.Tx, in counter) (any, error) {
	account.Get[*state](tx).Counters[in.Name]++
	return read(tx, in)
}

func read(tx *account.Tx, in counter) (any, error) {
	n, ok := account.Get[*state](tx).Counters[in.Name]
	if !ok {
		return nil, api.NewError(http.StatusBadRequest, "NotFoundException", "no counter has the name "+in.Name)
	}
	return map[string]int{"Value": n}, nil
}
