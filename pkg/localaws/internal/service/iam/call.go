package iam

import (
	"maps"
	"slices"
	"strconv"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// A call is the parameters of an operation in its transaction.
type call struct {
	*account.Tx
	api.Form

	state *state
}

func callOf(tx *account.Tx, form api.Form) *call { return &call{tx, form, account.Get[*state](tx)} }

// An operation is an operation without its name.
type operation = api.Definition[api.Form]

// read makes an operation that changes nothing. The function resource returns the ARN
// that needs permission.
func read(resource func(*call) string, run func(*call) (any, error), accepts ...string) operation {
	o := write(resource, run, accepts...)
	o.ReadOnly = true
	return o
}

// write makes an operation that changes the state.
func write(resource func(*call) string, run func(*call) (any, error), accepts ...string) operation {
	return operation{
		Facts: api.Facts{Accepts: accepts}, Decode: api.FormOf,
		Resource: func(tx *account.Tx, form api.Form) string { return resource(callOf(tx, form)) },
		ConditionKeys: func(tx *account.Tx, form api.Form) map[string][]string {
			c := callOf(tx, form)
			return c.conditionKeys(resource(c))
		},
		Run: func(tx *account.Tx, form api.Form) (any, error) { return run(callOf(tx, form)) },
	}
}

// with returns an operation with condition keys that only it has.
func with(o operation, ownKeys func(*call) map[string][]string) operation {
	keys := o.ConditionKeys
	o.ConditionKeys = func(tx *account.Tx, form api.Form) map[string][]string {
		return api.Merged(keys(tx, form), ownKeys(callOf(tx, form)))
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

// conditionKeys returns the condition keys of a call: for its parameters, and the tags
// of its resource.
func (c *call) conditionKeys(resource string) map[string][]string {
	keys := c.tagKeys()
	if c.Has("PermissionsBoundary") {
		keys["iam:permissionsboundary"] = []string{c.Get("PermissionsBoundary")}
	}
	for _, t := range c.state.tagsOf(resource) {
		keys["aws:resourcetag/"+lower(t.Key)] = []string{t.Value}
		keys["iam:resourcetag/"+lower(t.Key)] = []string{t.Value}
	}
	return keys
}

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
func paged[T any](c *call, name string, all []T) (fields, error) {
	items, more, err := page(c, all)
	if err != nil {
		return nil, err
	}
	return append(fields{element(name, membersOf(items))}, more...), nil
}

// page returns the requested page of a list, and the fields that say whether there
// is more. The marker is where the next page begins.
func page[T any](c *call, all []T) ([]T, fields, error) { return pageOf(c, all, len(all)) }

// pageOf is page with at most so many items, even if the call wants more.
func pageOf[T any](c *call, all []T, most int) ([]T, fields, error) {
	start, limit := 0, 100
	var err error
	if text := c.Get("Marker"); text != "" {
		if start, err = strconv.Atoi(text); err != nil || start < 0 || start > len(all) {
			return nil, nil, validationError("Invalid Marker")
		}
	}
	if text := c.Get("MaxItems"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 1000 {
			return nil, nil, invalid("maxItems", "failed to satisfy constraint: Member must have value between 1 and 1000")
		}
	}
	if end := start + min(limit, most); end < len(all) {
		return all[start:end], fields{element("IsTruncated", true), element("Marker", strconv.Itoa(end))}, nil
	}
	return all[start:], fields{element("IsTruncated", false)}, nil
}
