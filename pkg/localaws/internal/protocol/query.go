// Package protocol has AWS's wire protocols: Query, its variant for EC2, REST with
// JSON, and JSON 1.1.
package protocol

import (
	"cmp"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// Query is the AWS Query protocol: requests are forms, responses XML.
type Query struct {
	Version, Namespace string
	// JSON reports that clients may ask for JSON.
	JSON bool
}

// Addresses reports whether a form names an operation in the service's version, which
// no other service has.
func (q Query) Addresses(r *api.Request) bool {
	form, _ := formOf(r)
	return form.Has("Action") && form.Get("Version") == q.Version
}

// formOf returns the form in the query and the body, as far as it parses.
func formOf(r *api.Request) (url.Values, error) {
	form, malformed := url.ParseQuery(r.URL.RawQuery)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return form, malformed
	}
	body, err := url.ParseQuery(string(r.Content))
	for name, values := range body {
		form[name] = append(form[name], values...)
	}
	return form, cmp.Or(malformed, err)
}

// Read parses the form, from the query and the body.
func (q Query) Read(r *api.Request, operations []api.Operation) (api.Input, *api.Operation, *api.Error) {
	form, malformed := formOf(r)
	input := api.Input{Request: r, Operation: form.Get("Action"), Parameters: nested(form), Form: api.Form(form)}
	if malformed != nil {
		return input, nil, api.NewError(http.StatusBadRequest, "MalformedQueryString", "The query string contains a syntax error: "+malformed.Error())
	}
	at := slices.IndexFunc(operations, func(o api.Operation) bool { return o.Name == input.Operation })
	switch current := form.Get("Version") == q.Version; {
	case at >= 0 && current:
		return input, &operations[at], check(operations[at].Facts, form)
	case input.Operation == "":
		return input, nil, api.NewError(http.StatusBadRequest, "MissingAction", "The request must contain the parameter Action")
	case current && namesOperation(input.Operation):
		return input, nil, api.Refuse(http.StatusBadRequest, "InvalidAction", "localaws does not support the operation "+input.Operation+".")
	}
	return input, nil, api.NewError(http.StatusBadRequest, "InvalidAction", "Could not find operation "+input.Operation+" for version "+form.Get("Version"))
}

// namesOperation reports whether a text may be the name of an operation of AWS:
// nobody but localaws lacks DescribeVolumes.
func namesOperation(name string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return len(name) <= 128 && strings.Contains(letters, name[:1]) && strings.Trim(strings.ToUpper(name), letters+"0123456789") == ""
}

// check returns what in a form its operation does not take.
func check(operation api.Facts, form url.Values) *api.Error {
	for name, values := range form {
		if len(values) > 1 {
			return Invalid(name, "is in the request twice")
		}
		if !accepts(operation, name) && !isEmptyList(operation, name, values[0]) {
			e := Invalid(name, "is not supported by localaws for "+operation.Name)
			e.Refused = true
			return e
		}
	}
	if name, ok := afterGap(form); ok {
		return Invalid(name, "follows a gap: list members are numbered from 1 without gaps")
	}
	return nil
}

var listIndex = regexp.MustCompile(`\.[1-9]\d{0,3}(\.|$)`)

// afterGap returns a parameter in a list that lacks the member before it: reading
// the list would stop at the gap and ignore the rest.
func afterGap(form url.Values) (name string, ok bool) {
	members := map[string]bool{}
	before := map[string]string{} // the required member, and a parameter that requires it
	for name := range form {
		for _, at := range listIndex.FindAllStringIndex(name, -1) {
			list, index := name[:at[0]], strings.Trim(name[at[0]:at[1]], ".")
			members[list+"."+index] = true
			if n, err := strconv.Atoi(index); err == nil && n > 1 {
				before[list+"."+strconv.Itoa(n-1)] = name
			}
		}
	}
	for member, name := range before {
		if !members[member] {
			return name, true
		}
	}
	return "", false
}

func accepts(operation api.Facts, name string) bool {
	if isFrame(name) {
		return true
	}
	for listIndex.MatchString(name) && !slices.Contains(operation.Accepts, name) {
		name = listIndex.ReplaceAllString(name, ".N$1")
	}
	return slices.Contains(operation.Accepts, name)
}

// isFrame reports whether a parameter belongs to the protocol or the signature.
func isFrame(name string) bool {
	return name == "Action" || name == "Version" || strings.HasPrefix(name, "X-Amz-")
}

// isEmptyList reports whether a parameter is an SDK's encoding of an empty list.
func isEmptyList(operation api.Facts, name, value string) bool {
	return value == "" && slices.ContainsFunc(operation.Accepts, func(known string) bool { return strings.HasPrefix(known, name+".member.N") })
}

// nested nests the fields of a form as CloudTrail does: Tags.member.1.Key is the key
// of the first of the tags.
func nested(form url.Values) map[string]any {
	tree := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if isFrame(name) {
			continue
		}
		path := slices.DeleteFunc(strings.Split(name, "."), func(s string) bool { return s == "member" })
		if len(path) == 0 || len(path) > 8 { // deeper than any real parameter
			continue
		}
		at := tree
		for _, segment := range path[:len(path)-1] {
			next, ok := at[lowerFirst(segment)].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[lowerFirst(segment)] = next
			}
			at = next
		}
		at[lowerFirst(path[len(path)-1])] = form.Get(name)
	}
	return tree
}

func lowerFirst(s string) string {
	return strings.ToLower(s[:min(1, len(s))]) + s[min(1, len(s)):]
}

// Invalid returns the error for an invalid value of a parameter.
func Invalid(name, why string) *api.Error {
	return api.NewError(http.StatusBadRequest, "ValidationError", "1 validation error detected: Value at '"+name+"' "+why)
}

func (q Query) wantsJSON(r *api.Request) bool {
	return q.JSON && strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

type responseMetadata struct {
	RequestID string `xml:"RequestId" json:"RequestId"`
}

// Result encodes the result of an operation; nil means none.
func (q Query) Result(input api.Input, result any) api.Answer {
	action, metadata := input.Operation, responseMetadata{input.Request.ID}
	if q.wantsJSON(input.Request) {
		return encodeJSON(http.StatusOK, map[string]any{
			action + "Response": map[string]any{action + "Result": result, "ResponseMetadata": metadata},
		})
	}
	return encodeXML(http.StatusOK, func(encoder *xml.Encoder) error {
		root := xml.StartElement{
			Name: xml.Name{Local: action + "Response"},
			Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: q.Namespace}},
		}
		if err := encoder.EncodeToken(root); err != nil {
			return err
		}
		if result != nil {
			if err := encoder.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: action + "Result"}}); err != nil {
				return err
			}
		}
		if err := encoder.EncodeElement(metadata, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}); err != nil {
			return err
		}
		return encoder.EncodeToken(root.End())
	})
}

type queryFailure struct {
	XMLName   xml.Name `xml:"ErrorResponse" json:"-"`
	Namespace string   `xml:"xmlns,attr,omitempty" json:"-"`
	Error     struct {
		Type, Code, Message string
	}
	RequestID string `xml:"RequestId" json:"RequestId"`
}

// Failure encodes an error.
func (q Query) Failure(r *api.Request, e *api.Error) api.Answer {
	body := queryFailure{Namespace: q.Namespace, RequestID: r.ID}
	body.Error.Type, body.Error.Code, body.Error.Message = "Sender", e.Code, e.Message
	if e.Status >= http.StatusInternalServerError {
		body.Error.Type = "Receiver"
	}
	if q.wantsJSON(r) {
		return encodeJSON(e.Status, body)
	}
	return encodeXML(e.Status, func(encoder *xml.Encoder) error { return encoder.Encode(body) })
}
