package localaws

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func eksOperations() []api.Operation {
	return slices.Concat(clusterOperations(), clusterUpdateOperations(), clusterTagOperations(), accessEntryOperations())
}

// on makes the operation of a route, such as "GET /clusters/{name}". The function run
// checks permission and does the work; accepts lists the query parameters.
func on(route, name string, run func(*eksCall) (any, *Error), accepts ...string) api.Operation {
	return api.Define(api.Definition[api.Input]{
		Facts:  api.Facts{Name: name, Route: route, Accepts: accepts, ReadOnly: strings.HasPrefix(route, http.MethodGet+" ")},
		Decode: func(input api.Input) (api.Input, error) { return input, nil },
		Run: func(tx *account.Tx, input api.Input) (any, error) {
			result, err := run(&eksCall{callOf(tx), input.Path, input.Query, input.Request.Content})
			if err != nil {
				return nil, err
			}
			return result, nil
		},
	})
}

// An eksCall is a call of an EKS operation.
type eksCall struct {
	*call
	path  map[string]string
	query url.Values
	body  []byte
}

func invalidEKS(message string) *Error {
	return newError(http.StatusBadRequest, "InvalidParameterException", message)
}

// decode decodes the body of a call. It rejects unknown fields, since the client
// expects them to have an effect.
func (c *eksCall) decode(into any) *Error {
	if len(c.body) == 0 {
		return nil
	}
	return decodeEKS(c.body, into)
}

func decodeEKS(text []byte, into any) *Error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, after := decoder.Token(); !errors.Is(after, io.EOF) {
			err = errors.New("trailing data after it")
		}
	}
	if err == nil {
		return nil
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return invalidEKS("localaws does not support the parameter " + strings.Trim(name, `"`) + ".")
	}
	return invalidEKS("The request's JSON does not parse: " + err.Error() + ".")
}

// page returns the page of a sorted list that a call asks for, and the token of the
// next page.
func (c *eksCall) page(all []string) (page []string, next string, e *Error) {
	limit := 100
	if text := c.query.Get("maxResults"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 100 {
			return nil, "", invalidEKS("maxResults must be between 1 and 100.")
		}
	}
	page, next, ok := api.PageAfter(all, func(name string) string { return name }, c.query.Get("nextToken"), limit)
	if !ok {
		return nil, "", invalidEKS("The nextToken is invalid.")
	}
	return page, next, nil
}
