package localaws

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ec2Service speaks the Query protocol with XML of its own.
type ec2Service struct{ queryService }

func (s *ec2Service) serve(c *call) (answer, *Error) {
	c.forgetInstances()
	result, action, err := s.call(c)
	if err != nil {
		return answer{}, err
	}
	told := fields{{"requestId", c.requestID}}
	if found, ok := result.(fields); ok {
		told = append(told, found...)
	} else {
		told = append(told, field{"return", true})
	}
	return encodeXML(func(encoder *xml.Encoder) error {
		return encoder.EncodeElement(told, xml.StartElement{
			Name: xml.Name{Local: action + "Response"},
			Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: s.namespace}},
		})
	}), nil
}

type ec2Failure struct {
	XMLName xml.Name `xml:"Response"`
	Errors  struct {
		Error struct{ Code, Message string }
	}
	RequestID string `xml:"RequestID"`
}

func (s *ec2Service) failure(c *call, e *Error) answer {
	e = e.ofEC2(c.AWS)
	body := ec2Failure{RequestID: c.requestID}
	body.Errors.Error.Code, body.Errors.Error.Message = e.Code, e.Message
	answer := encodeXML(func(encoder *xml.Encoder) error { return encoder.Encode(body) })
	answer.status = e.Status
	return answer
}

func ec2Operations() map[string]operation {
	operations := map[string]operation{
		"DescribeRegions": describe(describeRegions, slices.Concat(filterParameters(), []string{"RegionName.N"})...),
	}
	for _, group := range []map[string]operation{instanceOperations(), instanceTagOperations(), profileAssociationOperations()} {
		maps.Copy(operations, group)
	}
	return operations
}

// describe is an operation that tells of things: whoever may do it may see all.
func describe(run func(*call, *parameters) (any, *Error), accepts ...string) operation {
	return read(func(*parameters) string { return "*" }, func(c *call, p *parameters) (any, *Error) {
		if err := p.dryRun(); err != nil {
			return nil, err
		}
		return run(c, p)
	}, append(accepts, "DryRun")...)
}

// change is an operation that asks for its permissions itself, by permit.
func change(run func(*call, *parameters) (any, *Error), accepts ...string) operation {
	return write(nil, run, append(accepts, "DryRun")...)
}

// A grant is one permission that a call needs.
type grant struct {
	action, resource string
	keys             map[string][]string
}

// permit asks for all that a call needs.
func (c *call) permit(grants ...grant) *Error {
	for _, g := range grants {
		if err := c.authorize("ec2:"+g.action, g.resource, g.keys); err != nil {
			return err
		}
	}
	return nil
}

// dryRun ends a call that only asked whether it is permitted.
func (p *parameters) dryRun() *Error {
	switch p.get("DryRun") {
	case "true":
		return newError(http.StatusPreconditionFailed, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	case "", "false":
		return nil
	}
	return invalidEC2("Value (" + p.get("DryRun") + ") for parameter dryRun is invalid. It is true or false.")
}

// invalidEC2 is the error for a parameter whose value is none.
func invalidEC2(message string) *Error {
	return newError(http.StatusBadRequest, "InvalidParameterValue", message)
}

func missingParameter(name string) *Error {
	return newError(http.StatusBadRequest, "MissingParameter", "The request must contain the parameter "+name)
}

// items is EC2's list.
type items[T any] struct {
	Item []T `xml:"item"`
}

// hexID is a random ID of EC2's: a prefix that tells its kind, then 17 hex digits.
func hexID(prefix string) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: the program is ended instead
	return prefix + "0" + hex.EncodeToString(b[:])
}

// filterParameters are those by which filtered is told what is wanted.
func filterParameters() []string { return []string{"Filter.N.Name", "Filter.N.Value.N"} }

// pageParameters are those by which ec2Page is told what is wanted.
func pageParameters() []string { return []string{"MaxResults", "NextToken"} }

const maxFilterValues = 200

// filtered are those things for which every filter of a call holds. The function
// field tells what a filter looks at: values of a thing, of which one must match
// one of the filter's. It is nil for a filter that there is not.
func filtered[T any](p *parameters, all []T, field func(name string) func(T) []string) ([]T, *Error) {
	for n := 1; ; n++ {
		prefix := "Filter." + strconv.Itoa(n)
		if !p.has(prefix+".Name") && !p.has(prefix+".Value.1") {
			return all, nil
		}
		name, wanted := p.get(prefix+".Name"), p.list(prefix+".Value", "")
		values := field(name)
		if values == nil {
			return nil, invalidEC2("The filter '" + name + "' is invalid")
		}
		if len(wanted) > maxFilterValues {
			return nil, newError(http.StatusBadRequest, "FilterLimitExceeded", "The maximum number of filter values specified on a single call is "+strconv.Itoa(maxFilterValues))
		}
		matches := like(wanted)
		all = slices.DeleteFunc(slices.Clone(all), func(item T) bool { return !slices.ContainsFunc(values(item), matches) })
	}
}

// like matches what one of the patterns of a filter does: * is any run of
// characters, ? any one, and a backslash makes the next one stand for itself.
func like(patterns []string) func(string) bool {
	var compiled []*regexp.Regexp
	for _, pattern := range patterns {
		var b strings.Builder
		literal := false
		for _, c := range pattern {
			switch {
			case literal:
				b.WriteString(regexp.QuoteMeta(string(c)))
				literal = false
			case c == '\\':
				literal = true
			case c == '*':
				b.WriteString(".*")
			case c == '?':
				b.WriteString(".")
			default:
				b.WriteString(regexp.QuoteMeta(string(c)))
			}
		}
		if expression, err := regexp.Compile(`(?s)\A` + b.String() + `\z`); err == nil {
			compiled = append(compiled, expression)
		}
	}
	return func(text string) bool {
		return slices.ContainsFunc(compiled, func(expression *regexp.Regexp) bool { return expression.MatchString(text) })
	}
}

// ec2Page is the page of a list, sorted by key, that a call asks for, and the token
// of the next one.
func ec2Page[T any](p *parameters, all []T, key func(T) string) (page []T, next string, e *Error) {
	limit := 1000
	if text := p.get("MaxResults"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 5 || limit > 1000 {
			return nil, "", invalidEC2("Value ( " + text + " ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.")
		}
	}
	page, next, ok := pageAfter(all, key, p.get("NextToken"), limit)
	if !ok {
		return nil, "", newError(http.StatusBadRequest, "InvalidNextToken", "The token is invalid.")
	}
	return page, next, nil
}
