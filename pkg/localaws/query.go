package localaws

import (
	"maps"
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// An operation is an operation of a Query service.
type operation = api.Definition[api.Form]

// read makes an operation that changes nothing. The function resource returns the ARN
// that needs permission; nil means that no permission is needed, or that run checks
// it.
func read(resource func(*parameters) string, run func(*call, *parameters) (any, *Error), accepts ...string) operation {
	o := write(resource, run, accepts...)
	o.ReadOnly = true
	return o
}

// write makes an operation that changes the state.
func write(resource func(*parameters) string, run func(*call, *parameters) (any, *Error), accepts ...string) operation {
	o := operation{Facts: api.Facts{Accepts: accepts}, Decode: api.FormOf}
	o.Run = func(tx *account.Tx, form api.Form) (any, error) {
		p := parametersOf(tx, form)
		result, err := run(p.call, p)
		if err != nil {
			return nil, err
		}
		return result, nil
	}
	if resource != nil {
		o.Resource = func(tx *account.Tx, form api.Form) string { return resource(parametersOf(tx, form)) }
	}
	return o
}

// define returns operations in the order of their names.
func define(operations map[string]operation) []api.Operation {
	var defined []api.Operation
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		o := operations[name]
		o.Name = name
		defined = append(defined, api.Define(o))
	}
	return defined
}

// parameters are the parameters of a call to a Query service.
type parameters struct {
	*call
	api.Form
}

func parametersOf(tx *account.Tx, form api.Form) *parameters { return &parameters{callOf(tx), form} }

func (p *parameters) get(name string) string { return p.Get(name) }

func (p *parameters) has(name string) bool { return p.Has(name) }

func (p *parameters) list(name, suffix string) []string { return p.List(name, suffix) }

type (
	fields    = protocol.Fields
	field     = protocol.Field
	timestamp = protocol.Timestamp
)

func element(name string, value any) field { return protocol.Element(name, value) }
