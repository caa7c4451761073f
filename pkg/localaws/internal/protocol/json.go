package protocol

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/strictjson"
)

// JSON11 is JSON 1.1: a header names the operation.
type JSON11 struct {
	// Target is what precedes the operation in the header: "CloudTrail_20131101".
	Target string
	// Title is what people call the service.
	Title string
}

const (
	contentTypeJSON10 = "application/x-amz-json-1.0"
	contentTypeJSON11 = "application/x-amz-json-1.1"
)

// Addresses reports whether the header names the service.
func (j JSON11) Addresses(r *api.Request) bool { _, ok := j.operation(r); return ok }

// operation returns the operation of the service that the header names.
func (j JSON11) operation(r *api.Request) (name string, ok bool) {
	target := r.Header.Get("X-Amz-Target")
	// Some clients prefix the target with a Java package.
	if at := strings.LastIndex(target, "."); at >= 0 && strings.HasSuffix("."+target[:at], "."+j.Target) {
		return target[at+1:], true
	}
	return target, false
}

// Read reads the header. The body is left to the operation.
func (j JSON11) Read(r *api.Request, operations []api.Operation) (api.Input, *api.Operation, *api.Error) {
	input := api.Input{Request: r}
	input.Operation, _ = j.operation(r)
	_ = json.Unmarshal(r.Content, &input.Parameters) // the operation reports the error
	names := make([]string, len(operations))
	for i := range operations {
		if names[i] = operations[i].Name; names[i] == input.Operation {
			return input, &operations[i], nil
		}
	}
	return input, nil, api.Refuse(http.StatusBadRequest, "UnknownOperationException", "localaws does not support this operation of "+j.Title+" (supported: "+strings.Join(names, ", ")+").")
}

// DecodeJSON decodes the body of a request, which may have no unknown fields. Code is that
// of the service's error for one.
func DecodeJSON[In any](input api.Input, code string) (in In, err error) {
	if err := strictjson.Decode(input.Request.Content, &in); err != nil {
		return in, api.Refuse(http.StatusBadRequest, code, "localaws does not support this request: "+err.Error())
	}
	return in, nil
}

// Result encodes the result of an operation.
func (j JSON11) Result(_ api.Input, result any) api.Answer {
	answer := encodeJSON(http.StatusOK, result)
	answer.ContentType = contentTypeJSON11
	return answer
}

// Failure encodes an error.
func (j JSON11) Failure(r *api.Request, e *api.Error) api.Answer {
	answer := encodeJSON(e.Status, map[string]string{"__type": e.Code, "message": e.Message})
	answer.ContentType = contentTypeJSON11
	if r.Header.Get("Content-Type") == contentTypeJSON10 { // no served service has it
		answer.ContentType = contentTypeJSON10
	}
	return answer
}

// REST is REST with JSON: method and path name the operation.
type REST struct {
	// Title is what people call the service.
	Title string
}

// Addresses returns false: paths of several services are alike.
func (s REST) Addresses(*api.Request) bool { return false }

// Read finds the route, and reads the parameters in the path. The body is left to the
// operation.
func (s REST) Read(r *api.Request, operations []api.Operation) (api.Input, *api.Operation, *api.Error) {
	query, malformed := url.ParseQuery(r.URL.RawQuery)
	input := api.Input{Request: r, Query: query}
	path := segments(r.URL.EscapedPath())
	for i := range operations {
		values, ok := match(operations[i].Route, r.Method, path)
		if !ok {
			continue
		}
		input.Operation, input.Path = operations[i].Name, values
		_ = json.Unmarshal(r.Content, &input.Parameters) // the operation reports the error
		if input.Parameters == nil {
			input.Parameters = map[string]any{}
		}
		for name, value := range values {
			input.Parameters[name] = value
		}
		if malformed != nil {
			return input, &operations[i], invalidParameter("The query string does not parse: " + malformed.Error() + ".")
		}
		return input, &operations[i], checkQuery(operations[i].Facts, query)
	}
	input.Operation = r.Method + " " + r.URL.Path
	return input, nil, api.Refuse(http.StatusNotFound, "NotFoundException", "localaws has no "+s.Title+" operation "+input.Operation)
}

// checkQuery returns what in a query its operation does not take.
func checkQuery(operation api.Facts, query url.Values) *api.Error {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		list := slices.Contains(operation.Accepts, name+".N")
		switch {
		case !list && !slices.Contains(operation.Accepts, name) && !strings.HasPrefix(name, "X-Amz-"):
			return api.Refuse(http.StatusBadRequest, "InvalidParameterException", "localaws does not support the parameter "+name+" of "+operation.Name+".")
		case !list && len(query[name]) > 1:
			return invalidParameter("The parameter " + name + " appears more than once.")
		}
	}
	return nil
}

func invalidParameter(message string) *api.Error {
	return api.NewError(http.StatusBadRequest, "InvalidParameterException", message)
}

// segments splits a path. An encoded slash does not split: an ARN is one segment.
func segments(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// match matches an encoded path and returns the segments in place of the braces.
func match(route, method string, path []string) (map[string]string, bool) {
	routeMethod, routePath, _ := strings.Cut(route, " ")
	want := segments(routePath)
	if method != routeMethod || len(path) != len(want) {
		return nil, false
	}
	values := map[string]string{}
	for i, segment := range want {
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

// Result encodes the result of an operation.
func (s REST) Result(_ api.Input, result any) api.Answer {
	return encodeJSON(http.StatusOK, result)
}

// Failure encodes an error.
func (s REST) Failure(_ *api.Request, e *api.Error) api.Answer {
	answer := encodeJSON(e.Status, map[string]string{"message": e.Message})
	answer.Header = map[string]string{"X-Amzn-Errortype": e.Code}
	return answer
}
