package localaws

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// eksService speaks REST with JSON.
type eksService struct{ operations []eksOperation }

// An eksOperation is an operation of EKS.
type eksOperation struct {
	// method and path are its route. A segment in braces matches any segment.
	method string
	path   []string
	name   string
	// run checks permission and does the work. Its result is marshalled.
	run func(*eksCall) (any, *Error)
	// accepts lists the query parameters that it supports.
	accepts []string
}

func eksOperations() []eksOperation {
	return slices.Concat(clusterOperations(), clusterUpdateOperations(), clusterTagOperations(), accessEntryOperations())
}

// on makes the operation of a route, such as "GET /clusters/{name}".
func on(route, name string, run func(*eksCall) (any, *Error), accepts ...string) eksOperation {
	method, path, _ := strings.Cut(route, " ")
	return eksOperation{method: method, path: segments(path), name: name, run: run, accepts: accepts}
}

// segments splits a path. An encoded slash does not split: an ARN is one segment.
func segments(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// match matches an encoded path and returns the segments in place of the braces.
func (o *eksOperation) match(method string, path []string) (map[string]string, bool) {
	if method != o.method || len(path) != len(o.path) {
		return nil, false
	}
	values := map[string]string{}
	for i, segment := range o.path {
		value, err := url.PathUnescape(path[i])
		switch {
		case err != nil:
			return nil, false
		case strings.HasPrefix(segment, "{"):
			values[strings.Trim(segment, "{}")] = value
		case segment != value:
			return nil, false
		}
	}
	return values, true
}

// An eksCall is a call of an EKS operation.
type eksCall struct {
	*call
	path  map[string]string
	query url.Values
}

func (s *eksService) actions() []string {
	names := make([]string, len(s.operations))
	for i, operation := range s.operations {
		names[i] = operation.name
	}
	return names
}

// find returns the operation of a call and the parameters in its path.
func (s *eksService) find(c *call) (*eksOperation, map[string]string) {
	path := segments(c.request.URL.EscapedPath())
	for i := range s.operations {
		if values, ok := s.operations[i].match(c.request.Method, path); ok {
			return &s.operations[i], values
		}
	}
	return nil, nil
}

// read returns the parameters in the path and in the JSON body.
func (s *eksService) read(c *call) (name string, parameters map[string]any) {
	operation, values := s.find(c)
	if operation == nil {
		return c.request.Method + " " + c.request.URL.Path, nil
	}
	var body map[string]any
	_ = json.Unmarshal(c.body, &body) // an operation with a body reports the error
	parameters = map[string]any{}
	maps.Copy(parameters, jsonParameters(body))
	for name, value := range values {
		parameters[name] = value
	}
	return operation.name, parameters
}

func (s *eksService) serve(c *call) (answer, *Error) {
	result, err := s.call(c)
	if err != nil {
		return answer{}, err
	}
	return encodeJSON(http.StatusOK, result), nil
}

func (s *eksService) failure(_ *call, e *Error) answer {
	e = e.ofEKS()
	answer := encodeJSON(e.Status, map[string]string{"message": e.Message})
	answer.header = map[string]string{"X-Amzn-Errortype": e.Code}
	return answer
}

// call finds the operation and runs it.
func (s *eksService) call(c *call) (any, *Error) {
	operation, path := s.find(c)
	if operation == nil {
		return nil, newError(http.StatusNotFound, "NotFoundException", "localaws has no EKS operation "+c.request.Method+" "+c.request.URL.Path)
	}
	query := c.request.URL.Query()
	for name := range query {
		if !slices.Contains(operation.accepts, name) && !strings.HasPrefix(name, "X-Amz-") {
			return nil, invalidEKS("localaws does not support the parameter " + name + " of " + operation.name + ".")
		}
	}
	c.writes = c.request.Method != http.MethodGet
	return operation.run(&eksCall{c, path, query})
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
	page, next, ok := pageAfter(all, func(name string) string { return name }, c.query.Get("nextToken"), limit)
	if !ok {
		return nil, "", invalidEKS("The nextToken is invalid.")
	}
	return page, next, nil
}
