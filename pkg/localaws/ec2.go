package localaws

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// translateEC2 translates a common error to EC2.
func translateEC2(e *Error) *Error {
	switch e.Code {
	case api.CodeAccessDenied:
		message := "You are not authorized to perform this operation. " + e.Message
		if encoded := e.Encoded(); encoded != "" {
			message += " Encoded authorization failure message: " + encoded
		}
		return newError(http.StatusForbidden, "UnauthorizedOperation", message)
	case api.CodeExpiredToken:
		return newError(http.StatusBadRequest, "RequestExpired", "Request has expired.")
	case api.CodeInvalidToken, api.CodeSignatureMismatch, api.CodeMissingToken:
		return newError(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	case api.CodeServiceFailure:
		return newError(e.Status, "InternalError", e.Message)
	case api.CodeSignatureSkewed:
		return newError(http.StatusBadRequest, "RequestExpired", "Request has expired. "+e.Message)
	case api.CodeThrottled:
		return newError(http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
	case api.CodeUnavailable:
		return newError(e.Status, "Unavailable", e.Message)
	}
	return e
}

func ec2Operations() map[string]operation {
	operations := map[string]operation{
		"DescribeRegions": describe(describeRegions, slices.Concat(filterParameters(), []string{"RegionName.N"})...),
	}
	for _, group := range []map[string]operation{instanceOperations(), instanceTagOperations(), profileAssociationOperations()} {
		maps.Copy(operations, group)
	}
	for name, o := range operations {
		run := o.Run
		o.Run = func(tx *account.Tx, form api.Form) (any, error) {
			callOf(tx).forgetInstances()
			return run(tx, form)
		}
		operations[name] = o
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

type items[T any] = protocol.Items[T]

func itemsOf[T any](list []T) items[T] { return protocol.ItemsOf(list) }

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
	page, next, ok := api.PageAfter(all, key, p.get("NextToken"), limit)
	if !ok {
		return nil, "", newError(http.StatusBadRequest, "InvalidNextToken", "The token is invalid.")
	}
	return page, next, nil
}
