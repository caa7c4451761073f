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

// ec2Service speaks EC2's variant of the Query protocol.
type ec2Service struct{ queryService }

func (s *ec2Service) serve(c *call) (answer, *Error) {
	c.forgetInstances()
	result, action, err := s.call(c)
	if err != nil {
		return answer{}, err
	}
	response := fields{{"requestId", c.requestID}}
	if found, ok := result.(fields); ok {
		response = append(response, found...)
	} else {
		response = append(response, field{"return", true})
	}
	return encodeXML(func(encoder *xml.Encoder) error {
		return encoder.EncodeElement(response, xml.StartElement{
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

// describe makes an operation that lists things. Permission is for all or
// nothing.
func describe(run func(*call, *parameters) (any, *Error), accepts ...string) operation {
	return read(func(*parameters) string { return "*" }, func(c *call, p *parameters) (any, *Error) {
		if err := p.dryRun(); err != nil {
			return nil, err
		}
		return run(c, p)
	}, append(accepts, "DryRun")...)
}

// change makes an operation that asks for its permissions itself, with permit.
func change(run func(*call, *parameters) (any, *Error), accepts ...string) operation {
	return write(nil, run, append(accepts, "DryRun")...)
}

// A grant is one permission that a call needs.
type grant struct {
	action, resource string
	keys             map[string][]string
}

// permit checks all permissions that a call needs.
func (c *call) permit(grants ...grant) *Error {
	for _, g := range grants {
		if err := c.authorize("ec2:"+g.action, g.resource, g.keys); err != nil {
			return err
		}
	}
	return nil
}

// dryRun returns an error if the call only asks whether it is permitted.
func (p *parameters) dryRun() *Error {
	switch p.get("DryRun") {
	case "true":
		return newError(http.StatusPreconditionFailed, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	case "", "false":
		return nil
	}
	return invalidEC2("Value (" + p.get("DryRun") + ") for parameter dryRun is invalid. Expecting true or false.")
}

// invalidEC2 returns the error for an invalid value of a parameter.
func invalidEC2(message string) *Error {
	return newError(http.StatusBadRequest, "InvalidParameterValue", message)
}

func missingParameter(name string) *Error {
	return newError(http.StatusBadRequest, "MissingParameter", "The request must contain the parameter "+name)
}

// items is a list in EC2's XML.
type items[T any] struct {
	Item []T `xml:"item"`
}

// hexID returns a random EC2 ID: a prefix for its kind, then 17 hex digits.
func hexID(prefix string) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never returns an error: the program crashes instead
	return prefix + "0" + hex.EncodeToString(b[:])
}

// filterParameters returns the parameters that filtered reads.
func filterParameters() []string { return []string{"Filter.N.Name", "Filter.N.Value.N"} }

// pageParameters returns the parameters that ec2Page reads.
func pageParameters() []string { return []string{"MaxResults", "NextToken"} }

const maxFilterValues = 200

// filtered returns the things that every filter of a call matches. The function
// field returns the values of a thing that a filter compares, or nil if there is
// no such filter; one value must match one of the filter's.
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

// like reports whether a value matches one of the patterns of a filter: * matches
// any run of characters, ? any one, and a backslash takes the next one literally.
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

// ec2Page returns the page of a list that a call asks for, sorted by key, and the
// token of the next page.
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
