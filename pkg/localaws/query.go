package localaws

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A queryService speaks the AWS Query protocol: requests are forms, responses XML.
type queryService struct {
	version, namespace string
	operations         map[string]operation
	// json reports that clients may ask for JSON.
	json bool
}

// An operation is an operation of a Query service.
type operation struct {
	// resource returns the ARN that needs permission. Nil means that no permission
	// is needed, or that run checks it.
	resource func(*parameters) string
	// run does the work. Its result is marshalled; nil means none.
	run func(*call, *parameters) (any, *Error)
	// accepts lists the supported parameters; "Tag.N.Key" is a list. Others are
	// rejected, since the client expects them to have an effect.
	accepts []string
	// reads reports that the operation only reads, so that nothing must be saved.
	reads bool
	// ownKeys returns condition keys that only this operation has; nil means none.
	ownKeys func(*parameters) map[string][]string
	// unsigned reports that it takes no signature: its callers have no key.
	unsigned bool
	// prepare does what takes time, before the state is locked and the caller is
	// known. Nil means nothing.
	prepare func(*call, *parameters) *Error
}

// read makes an operation that changes nothing.
func read(resource func(*parameters) string, run func(*call, *parameters) (any, *Error), accepts ...string) operation {
	return operation{resource: resource, run: run, accepts: accepts, reads: true}
}

// write makes an operation that changes the state.
func write(resource func(*parameters) string, run func(*call, *parameters) (any, *Error), accepts ...string) operation {
	return operation{resource: resource, run: run, accepts: accepts}
}

// with returns the operation with condition keys of its own.
func (o operation) with(ownKeys func(*parameters) map[string][]string) operation {
	o.ownKeys = ownKeys
	return o
}

// keys returns the condition keys of a call: for its parameters, the tags of its
// resource, and the operation's own.
func (o operation) keys(p *parameters) map[string][]string {
	keys := p.tagKeys()
	if p.has("PermissionsBoundary") {
		keys["iam:permissionsboundary"] = []string{p.get("PermissionsBoundary")}
	}
	for _, t := range p.state.tagsOf(o.resource(p)) {
		keys["aws:resourcetag/"+lower(t.Key)] = []string{t.Value}
		keys["iam:resourcetag/"+lower(t.Key)] = []string{t.Value}
	}
	if o.ownKeys != nil {
		maps.Copy(keys, o.ownKeys(p))
	}
	return keys
}

// parameters are the parameters of a call to a Query service.
type parameters struct {
	*call
	form url.Values
}

func (p *parameters) get(name string) string { return p.form.Get(name) }

func (p *parameters) has(name string) bool { return p.form.Has(name) }

// list returns Name.1, Name.2, … or, with the suffix, Name.1.Suffix and so on.
func (p *parameters) list(name, suffix string) []string {
	var values []string
	for i := 1; p.form.Has(name + "." + strconv.Itoa(i) + suffix); i++ {
		values = append(values, p.form.Get(name+"."+strconv.Itoa(i)+suffix))
	}
	return values
}

func (s *queryService) serve(c *call) (answer, *Error) {
	result, action, err := s.call(c)
	if err != nil {
		return answer{}, err
	}
	if s.json && acceptsJSON(c.request) {
		return s.jsonAnswer(c, action, result), nil
	}
	return s.xmlAnswer(c, action, result), nil
}

func (s *queryService) actions() []string { return slices.Collect(maps.Keys(s.operations)) }

// read parses the form, from the query and the body.
func (s *queryService) read(c *call) (name string, parameters map[string]any) {
	c.form = c.request.URL.Query()
	if strings.HasPrefix(c.request.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		var body url.Values
		body, c.formError = url.ParseQuery(string(c.body))
		for name, values := range body {
			c.form[name] = append(c.form[name], values...)
		}
	}
	return c.form.Get("Action"), formParameters(c.form)
}

// prepare runs the preparation of the call's operation. serve reports all other
// errors, once the caller is known.
func (s *queryService) prepare(c *call) *Error {
	p, operation, err := s.find(c)
	c.unsigned = operation.unsigned
	if err != nil || operation.prepare == nil {
		return nil
	}
	return operation.prepare(c, p)
}

// call finds the operation, checks permission and runs it.
func (s *queryService) call(c *call) (result any, action string, e *Error) {
	p, operation, e := s.find(c)
	if e != nil {
		return nil, "", e
	}
	action = p.get("Action")
	if e := c.barred(action); e != nil {
		return nil, "", e
	}
	if operation.resource != nil {
		if err := c.authorize(c.operation, operation.resource(p), operation.keys(p)); err != nil {
			return nil, "", err
		}
	}
	c.writes = !operation.reads
	result, e = operation.run(c, p)
	return result, action, e
}

// find returns the operation of a call and its parameters.
func (s *queryService) find(c *call) (*parameters, operation, *Error) {
	if c.formError != nil {
		return nil, operation{}, newError(http.StatusBadRequest, "MalformedQueryString", "The query string contains a syntax error: "+c.formError.Error())
	}
	p := &parameters{c, c.form}
	action := p.get("Action")
	found, ok := s.operations[action]
	if !ok || p.get("Version") != s.version {
		if action == "" {
			return nil, operation{}, newError(http.StatusBadRequest, "MissingAction", "The request must contain the parameter Action")
		}
		return nil, operation{}, newError(http.StatusBadRequest, "InvalidAction", "Could not find operation "+action+" for version "+p.get("Version"))
	}
	c.operation = c.service + ":" + action
	for name, values := range p.form {
		if len(values) > 1 {
			return nil, found, invalid(name, "is in the request twice")
		}
		if !found.knows(name) && !found.isEmptyList(name, values[0]) {
			return nil, found, invalid(name, "is not supported by localaws for "+action)
		}
	}
	if name, ok := p.afterGap(); ok {
		return nil, found, invalid(name, "follows a gap: list members are numbered from 1 without gaps")
	}
	return p, found, nil
}

var listIndex = regexp.MustCompile(`\.[1-9]\d{0,3}(\.|$)`)

// afterGap returns a parameter in a list that lacks the member before it: reading
// the list would stop at the gap and ignore the rest.
func (p *parameters) afterGap() (name string, ok bool) {
	members := map[string]bool{}
	before := map[string]string{} // the required member, and a parameter that requires it
	for name := range p.form {
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

func (o operation) knows(name string) bool {
	if name == "Action" || name == "Version" || strings.HasPrefix(name, "X-Amz-") {
		return true
	}
	for listIndex.MatchString(name) && !slices.Contains(o.accepts, name) {
		name = listIndex.ReplaceAllString(name, ".N$1")
	}
	return slices.Contains(o.accepts, name)
}

// isEmptyList reports whether a parameter is an SDK's encoding of an empty list.
func (o operation) isEmptyList(name, value string) bool {
	return value == "" && slices.ContainsFunc(o.accepts, func(known string) bool { return strings.HasPrefix(known, name+".member.N") })
}

func invalid(name, why string) *Error {
	return validationError("1 validation error detected: Value at '" + name + "' " + why)
}

func acceptsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

type responseMetadata struct {
	RequestID string `xml:"RequestId" json:"RequestId"`
}

func (s *queryService) xmlAnswer(c *call, action string, result any) answer {
	return encodeXML(func(encoder *xml.Encoder) error {
		root := xml.StartElement{
			Name: xml.Name{Local: action + "Response"},
			Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: s.namespace}},
		}
		if err := encoder.EncodeToken(root); err != nil {
			return err
		}
		if result != nil {
			if err := encoder.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: action + "Result"}}); err != nil {
				return err
			}
		}
		metadata := xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}
		if err := encoder.EncodeElement(responseMetadata{c.requestID}, metadata); err != nil {
			return err
		}
		return encoder.EncodeToken(root.End())
	})
}

func (s *queryService) jsonAnswer(c *call, action string, result any) answer {
	return encodeJSON(http.StatusOK, map[string]any{
		action + "Response": map[string]any{action + "Result": result, "ResponseMetadata": responseMetadata{c.requestID}},
	})
}

type queryFailure struct {
	XMLName   xml.Name `xml:"ErrorResponse" json:"-"`
	Namespace string   `xml:"xmlns,attr" json:"-"`
	Error     struct {
		Type, Code, Message string
	}
	RequestID string `xml:"RequestId" json:"RequestId"`
}

func (s *queryService) failure(c *call, e *Error) answer {
	e = e.ofQuery()
	body := queryFailure{Namespace: s.namespace, RequestID: c.requestID}
	body.Error.Type, body.Error.Code, body.Error.Message = "Sender", e.Code, e.Message
	if e.Status >= http.StatusInternalServerError {
		body.Error.Type = "Receiver"
	}
	if s.json && acceptsJSON(c.request) {
		return encodeJSON(e.Status, body)
	}
	answer := encodeXML(func(encoder *xml.Encoder) error { return encoder.Encode(body) })
	answer.status = e.Status
	return answer
}

// encodeXML encodes this package's types, which always encode.
func encodeXML(write func(*xml.Encoder) error) answer {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	encoder := xml.NewEncoder(&b)
	if err := errors.Join(write(encoder), encoder.Close()); err != nil {
		return answer{status: http.StatusInternalServerError, contentType: "text/plain", body: []byte("encoding the response: " + err.Error())}
	}
	return answer{status: http.StatusOK, contentType: "text/xml", body: b.Bytes()}
}

func encodeJSON(status int, value any) answer {
	body, err := json.Marshal(value)
	if err != nil {
		return answer{status: http.StatusInternalServerError, contentType: "text/plain", body: []byte("encoding the response: " + err.Error())}
	}
	return answer{status: status, contentType: "application/json", body: body}
}

// members is a list that XML always contains, empty or not.
type members[T any] struct {
	Member []T `xml:"member"`
}

// fields are the elements of a response, in order.
type fields []field

type field struct {
	name  string
	value any
}

// MarshalXML writes an element for every field.
func (f fields) MarshalXML(encoder *xml.Encoder, start xml.StartElement) error {
	if err := encoder.EncodeToken(start); err != nil {
		return err
	}
	for _, field := range f {
		if err := encoder.EncodeElement(field.value, xml.StartElement{Name: xml.Name{Local: field.name}}); err != nil {
			return err
		}
	}
	return encoder.EncodeToken(start.End())
}

// paged returns the requested page of a list under a name, and whether there is
// more.
func paged[T any](p *parameters, name string, all []T) (fields, *Error) {
	items, more, err := page(p, all)
	if err != nil {
		return nil, err
	}
	return append(fields{{name, members[T]{items}}}, more...), nil
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
		return all[start:end], fields{{"IsTruncated", true}, {"Marker", strconv.Itoa(end)}}, nil
	}
	return all[start:], fields{{"IsTruncated", false}}, nil
}

// A timestamp is RFC 3339 in XML and seconds since 1970 in JSON.
type timestamp time.Time

// MarshalText encodes it for XML.
func (t timestamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format("2006-01-02T15:04:05Z")), nil
}

// MarshalJSON encodes it for JSON.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, time.Time(t).Unix(), 10), nil
}
