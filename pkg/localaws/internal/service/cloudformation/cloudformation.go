// Package cloudformation is CloudFormation without a stack: tools ask it whether one
// exists before they do without.
package cloudformation

import (
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// New returns CloudFormation.
func New() api.Service {
	return api.Service{
		Name: "cloudformation", Title: "CloudFormation", Translate: api.TranslateQuery,
		Protocol: protocol.Query{Version: "2010-05-15", Namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/"},
		Operations: []api.Operation{
			// A client that filters an empty list gets it, whatever the filter.
			list("ListStacks", "StackSummaries", "NextToken", "StackStatusFilter.member.N"),
			list("ListStackSets", "Summaries", "CallAs", "MaxResults", "NextToken", "Status"),
			list("ListExports", "Exports", "NextToken"),
			describeStacks(),
			ofStack("DescribeStackEvents", "Stack [", "] does not exist", "NextToken"),
			ofStack("DescribeStackResource", "Stack '", "' does not exist", "LogicalResourceId"),
			ofStack("DescribeStackResources", "Stack with id ", " does not exist", "LogicalResourceId", "PhysicalResourceId"),
			ofStack("GetTemplate", "Stack with id ", " does not exist", "ChangeSetName", "TemplateStage"),
			ofStack("ListChangeSets", "Stack [", "] does not exist", "NextToken"),
			ofStack("ListStackResources", "Stack with id ", " does not exist", "NextToken"),
		},
	}
}

// list makes an operation that returns an empty list under a name.
func list(operation, name string, accepts ...string) api.Operation {
	return api.Define(api.Definition[api.Form]{
		Facts: api.Facts{Name: operation, Accepts: accepts, ReadOnly: true}, Decode: checkedPage, Resource: api.Anything[api.Form],
		Run: func(*account.Tx, api.Form) (any, error) { return empty(name), nil },
	})
}

func empty(name string) protocol.Fields {
	return protocol.Fields{protocol.Element(name, protocol.MembersOf[string](nil))}
}

// describeStacks makes the operation that describes all stacks, or one.
func describeStacks() api.Operation {
	return api.Define(api.Definition[api.Form]{
		Facts: api.Facts{Name: "DescribeStacks", Accepts: []string{"NextToken", "StackName"}, ReadOnly: true}, Decode: checkedPage, Resource: stackARN,
		Run: func(_ *account.Tx, form api.Form) (any, error) {
			if name := form.Get("StackName"); name != "" {
				return nil, badRequest("Stack with id " + name + " does not exist")
			}
			return empty("Stacks"), nil
		},
	})
}

// ofStack makes an operation on a stack, which does not exist.
func ofStack(operation, before, after string, accepts ...string) api.Operation {
	return api.Define(api.Definition[api.Form]{
		Facts: api.Facts{Name: operation, Accepts: append(accepts, "StackName"), ReadOnly: true}, Decode: checkedPage, Resource: stackARN,
		Run: func(_ *account.Tx, form api.Form) (any, error) {
			switch name, physical := form.Get("StackName"), form.Get("PhysicalResourceId"); {
			case name != "":
				return nil, badRequest(before + name + after)
			case physical != "":
				return nil, badRequest("Stack for " + physical + " does not exist")
			}
			return nil, protocol.Invalid("stackName", "failed to satisfy constraint: Member must not be null")
		},
	})
}

// stackARN returns the ARN of the stack in a form.
func stackARN(tx *account.Tx, form api.Form) string {
	if name := form.Get("StackName"); name != "" {
		return tx.ARN("cloudformation", tx.Region, "stack/"+name+"/*")
	}
	return "*"
}

// checkedPage returns the form; no list is long enough for a token.
func checkedPage(input api.Input) (api.Form, error) {
	if input.Form.Get("NextToken") != "" {
		return nil, badRequest("The NextToken is invalid.")
	}
	return input.Form, nil
}

func badRequest(message string) error {
	return api.NewError(http.StatusBadRequest, "ValidationError", message)
}
