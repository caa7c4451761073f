package eks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/strictjson"
)

// A request is the input of an operation, with its body.
type request[B any] struct {
	api.Input
	Body B
}

// A body may have defaults, and condition keys.
type (
	defaulted interface{ setDefaults() }
	keyed     interface{ conditionKeys() map[string][]string }
)

// none is the body of an operation that has none.
type none struct{}

// A target finds what an operation is about, from its path. It returns the subject
// also with an error, since only a caller with permission may know the error.
type target[T any] func(*account.Tx, api.Input) (T, subject, error)

// A subject is what an operation needs permission for.
type subject struct {
	arn  string
	keys map[string][]string
}

// on makes the operation of a route, such as "GET /clusters/{name}", on a target;
// accepts lists the query parameters.
func on[T, B any](of target[T], route, name string, run func(*account.Tx, T, request[B]) (any, error), accepts ...string) api.Operation {
	return api.Define(api.Definition[request[B]]{
		Facts: api.Facts{
			Name: name, Route: route, Accepts: accepts,
			ReadOnly: strings.HasPrefix(name, "Describe") || strings.HasPrefix(name, "List"),
		},
		Decode: decode[B],
		Resource: func(tx *account.Tx, in request[B]) string {
			_, needed, _ := of(tx, in.Input)
			return needed.arn
		},
		ConditionKeys: func(tx *account.Tx, in request[B]) map[string][]string {
			_, needed, _ := of(tx, in.Input)
			if body, ok := any(&in.Body).(keyed); ok {
				return api.Merged(needed.keys, body.conditionKeys())
			}
			return needed.keys
		},
		Run: func(tx *account.Tx, in request[B]) (any, error) {
			found, _, err := of(tx, in.Input)
			if err != nil {
				return nil, err
			}
			return run(tx, found, in)
		},
	})
}

// decode decodes a request.
func decode[B any](input api.Input) (request[B], error) {
	in := request[B]{Input: input}
	if body, ok := any(&in.Body).(defaulted); ok {
		body.setDefaults()
	}
	if len(input.Request.Content) == 0 {
		return in, nil
	}
	err := decodeJSON(input.Request.Content, &in.Body)
	return in, err // not in one statement, whose order is not specified
}

// decodeJSON rejects unknown fields, since the client expects them to have an effect.
func decodeJSON(text []byte, into any) error {
	err := strictjson.Decode(text, into)
	if err == nil {
		return nil
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return unsupported("localaws does not support the parameter " + strings.Trim(name, `"`) + ".")
	}
	return invalid("The request's JSON does not parse: " + err.Error() + ".")
}

// anything is the target of operations that are about no resource.
func anything(*account.Tx, api.Input) (none, subject, error) { return none{}, subject{arn: "*"}, nil }

// page returns the page of a list, sorted by key, that a request asks for, and the
// token of the next page.
func page[T any](input api.Input, all []T, key func(T) string) (page []T, next string, err error) {
	limit := 100
	if text := input.Query.Get("maxResults"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 100 {
			return nil, "", invalid("maxResults must be between 1 and 100.")
		}
	}
	page, next, ok := api.PageAfter(all, key, input.Query.Get("nextToken"), limit)
	if !ok {
		return nil, "", invalid("The nextToken is invalid.")
	}
	return page, next, nil
}

// listed returns the page of a sorted list that a request asks for, under a name.
func listed[T any](input api.Input, name string, all []T, key func(T) string) (any, error) {
	items, next, err := page(input, all, key)
	if err != nil {
		return nil, err
	}
	if items == nil {
		items = []T{}
	}
	return paged(name, items, next), nil
}

// paged returns a page under a name, with the token of the next one.
func paged(name string, items any, next string) map[string]any {
	result := map[string]any{name: items}
	if next != "" {
		result["nextToken"] = next
	}
	return result
}

func itself(name string) string { return name }

// oneOf returns an error for a parameter with another value than the supported ones.
func oneOf(parameter, value string, supported []string) error {
	if slices.Contains(supported, value) {
		return nil
	}
	return invalid(parameter + " " + strconv.Quote(value) + " is not valid (supported: " + strings.Join(supported, ", ") + ")")
}
