package localaws

import (
	"maps"
	"slices"
	"strconv"

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
		o.ConditionKeys = func(tx *account.Tx, form api.Form) map[string][]string {
			p := parametersOf(tx, form)
			return p.conditionKeys(resource(p))
		}
	}
	return o
}

// with returns an operation with condition keys that only it has.
func with(o operation, ownKeys func(*parameters) map[string][]string) operation {
	keys := o.ConditionKeys
	o.ConditionKeys = func(tx *account.Tx, form api.Form) map[string][]string {
		return merged(keys(tx, form), ownKeys(parametersOf(tx, form)))
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

// conditionKeys returns the condition keys of a call: for its parameters, and the tags
// of its resource.
func (p *parameters) conditionKeys(resource string) map[string][]string {
	keys := p.tagKeys()
	if p.has("PermissionsBoundary") {
		keys["iam:permissionsboundary"] = []string{p.get("PermissionsBoundary")}
	}
	for _, t := range p.state.tagsOf(resource) {
		keys["aws:resourcetag/"+lower(t.Key)] = []string{t.Value}
		keys["iam:resourcetag/"+lower(t.Key)] = []string{t.Value}
	}
	return keys
}

func invalid(name, why string) *Error { return protocol.Invalid(name, why) }

type (
	members[T any] = protocol.Members[T]
	fields         = protocol.Fields
	field          = protocol.Field
	timestamp      = protocol.Timestamp
)

func element(name string, value any) field { return protocol.Element(name, value) }

func membersOf[T any](list []T) members[T] { return protocol.MembersOf(list) }

// paged returns the requested page of a list under a name, and whether there is
// more.
func paged[T any](p *parameters, name string, all []T) (fields, *Error) {
	items, more, err := page(p, all)
	if err != nil {
		return nil, err
	}
	return append(fields{element(name, membersOf(items))}, more...), nil
}

// page returns the requested page of a list, and the fields that say whether there
// is more. The marker is where the next page begins.
func page[T any](p *parameters, all []T) ([]T, fields, *Error) {
	start, limit := 0, 100
	var err error
	if text := p.get("Marker"); text != "" {
		if start, err = strconv.Atoi(text); err != nil || start < 0 || start > len(all) {
			return nil, nil, validationError("Invalid Marker")
		}
	}
	if text := p.get("MaxItems"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 1000 {
			return nil, nil, invalid("maxItems", "failed to satisfy constraint: Member must have value between 1 and 1000")
		}
	}
	if end := start + limit; end < len(all) {
		return all[start:end], fields{element("IsTruncated", true), element("Marker", strconv.Itoa(end))}, nil
	}
	return all[start:], fields{element("IsTruncated", false)}, nil
}
