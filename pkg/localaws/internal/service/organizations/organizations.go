// Package organizations is Organizations: the accounts of a local AWS in a tree of
// organizational units, with the service control policies that limit them. The first
// account manages the organization and keeps it; all others are members.
package organizations

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// New returns Organizations.
func New() api.Service {
	return api.Service{
		Name: "organizations", Title: "Organizations", Global: true, Translate: api.TranslateJSON11,
		Protocol:   protocol.JSON11{Target: "AWSOrganizationsV20161128", Title: "Organizations"},
		State:      account.Part{New: func() account.Section { return &state{} }},
		Operations: slices.Concat(organizationOperations(), unitOperations(), accountOperations(), policyOperations(), attachmentOperations()),
	}
}

func badRequest(code, message string) error {
	return api.NewError(http.StatusBadRequest, code, message)
}

func invalid(message string) error { return badRequest("InvalidInputException", message) }

func exceeded(message string) error { return badRequest("ConstraintViolationException", message) }

// on makes an operation of the account that manages the organization. It needs
// permission for the resources with the IDs that ids returns; for anything if it
// returns none.
func on[In any](name string, ids func(In) []string, run func(*account.Tx, *organization, In) (any, error)) api.Operation {
	return api.Define(api.Definition[In]{
		Facts:  api.Facts{Name: name, ReadOnly: strings.HasPrefix(name, "Describe") || strings.HasPrefix(name, "List")},
		Decode: decode[In],
		Run: func(tx *account.Tx, in In) (any, error) {
			o := of(tx)
			if o != nil && tx.Account.ID != manager(tx) {
				return nil, badRequest("AccessDeniedException", "You don't have permissions to access this resource.")
			}
			for _, arn := range arns(tx, o, ids, in) {
				if err := tx.Authorize(tx.Action(), arn, nil); err != nil {
					return nil, err
				}
			}
			if o == nil {
				return nil, notInUse()
			}
			return run(tx, o, in)
		},
	})
}

func arns[In any](tx *account.Tx, o *organization, ids func(In) []string, in In) []string {
	if o == nil || ids == nil {
		return []string{"*"}
	}
	var all []string
	for _, id := range ids(in) {
		all = append(all, o.arn(tx, id))
	}
	return all
}

func notInUse() error {
	return badRequest("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
}

func decode[In any](input api.Input) (in In, err error) {
	return protocol.DecodeJSON[In](input, "InvalidInputException")
}

// manager returns the ID of the account that manages the organization.
func manager(tx *account.Tx) string { return tx.Accounts()[0].ID }

// of returns the organization; nil if there is none.
func of(tx *account.Tx) *organization { return kept(tx).Organization }

// kept returns the section that keeps the organization.
func kept(tx *account.Tx) *state {
	managing, _ := tx.In(manager(tx)) // it is served
	return account.Get[*state](managing)
}

// A paging is the part of an input that asks for a page.
type paging struct {
	MaxResults *int
	NextToken  string
}

// listed returns the page of a list, sorted by key, under a name.
func listed[T any](p paging, name string, all []T, key func(T) string) (any, error) {
	limit := 20
	if p.MaxResults != nil {
		limit = *p.MaxResults
	}
	if limit < 1 || limit > 20 {
		return nil, invalid("You specified an invalid value " + strconv.Itoa(limit) + " for MaxResults: expected 1 to 20.")
	}
	page, next, ok := api.PageAfter(all, key, p.NextToken, limit)
	if !ok {
		return nil, invalid("You specified an invalid token for the operation.")
	}
	result := map[string]any{name: slices.Concat([]T{}, page)}
	if next != "" {
		result["NextToken"] = next
	}
	return result, nil
}

type none struct{}

func organizationOperations() []api.Operation {
	return []api.Operation{
		api.Define(api.Definition[createOrganization]{
			Facts: api.Facts{Name: "CreateOrganization"}, Decode: decode[createOrganization], Resource: api.Anything[createOrganization], Run: create,
		}),
		// A member may describe its organization too.
		api.Define(api.Definition[none]{
			Facts: api.Facts{Name: "DescribeOrganization", ReadOnly: true}, Decode: decode[none], Resource: api.Anything[none],
			Run: func(tx *account.Tx, _ none) (any, error) {
				if of(tx) == nil {
					return nil, notInUse()
				}
				return map[string]any{"Organization": of(tx).described(tx)}, nil
			},
		}),
		on("DeleteOrganization", nil, func(tx *account.Tx, o *organization, _ none) (any, error) {
			if len(o.Units) > 0 || len(o.Policies) > 0 {
				return nil, badRequest("OrganizationNotEmptyException", "To delete an organization, you must first delete all organizational units (OUs) and policies.")
			}
			kept(tx).Organization = nil
			return none{}, nil
		}),
		on("ListRoots", nil, func(tx *account.Tx, o *organization, in paging) (any, error) {
			return listed(in, "Roots", []any{o.root(tx)}, func(any) string { return o.Root })
		}),
		on("EnablePolicyType", idOf(func(in policyType) string { return in.RootID }), func(tx *account.Tx, o *organization, in policyType) (any, error) {
			return o.setEnabled(tx, in, true)
		}),
		on("DisablePolicyType", idOf(func(in policyType) string { return in.RootID }), func(tx *account.Tx, o *organization, in policyType) (any, error) {
			return o.setEnabled(tx, in, false)
		}),
	}
}

// idOf makes the ids of [on] of one ID.
func idOf[In any](id func(In) string) func(In) []string {
	return func(in In) []string { return []string{id(in)} }
}

type createOrganization struct{ FeatureSet string }

func create(tx *account.Tx, in createOrganization) (any, error) {
	switch {
	case of(tx) != nil:
		return nil, badRequest("AlreadyInOrganizationException", "The AWS account is already a member of an organization.")
	case tx.Account.ID != manager(tx):
		return nil, api.Refuse(http.StatusBadRequest, "ConstraintViolationException", "localaws has one organization, which its first account manages: call CreateOrganization in account "+manager(tx)+".")
	case in.FeatureSet != "" && in.FeatureSet != "ALL":
		return nil, api.Refuse(http.StatusBadRequest, "InvalidInputException", "localaws has organizations with all features only: leave FeatureSet out.")
	}
	made := &organization{
		ID: account.NewName("o-", 10), Root: account.NewName("r-", 4), Created: tx.Time, Enabled: true,
		Units: map[string]*unit{}, Places: map[string]string{}, Policies: map[string]*controlPolicy{}, Attached: map[string][]string{},
	}
	kept(tx).Organization = made
	return map[string]any{"Organization": made.described(tx)}, nil
}

type policyType struct {
	RootID     string `json:"RootId"`
	PolicyType string
}

// serviceControl is the type of policies that localaws has.
const serviceControl = "SERVICE_CONTROL_POLICY"

func checkType(name string) error {
	switch name {
	case serviceControl:
		return nil
	case "RESOURCE_CONTROL_POLICY", "TAG_POLICY", "BACKUP_POLICY", "AISERVICES_OPT_OUT_POLICY", "CHATBOT_POLICY", "DECLARATIVE_POLICY_EC2", "SECURITYHUB_POLICY":
		return api.Refuse(http.StatusBadRequest, "InvalidInputException", "localaws does not support policies of type "+name+" (supported: "+serviceControl+").")
	}
	return invalid("You specified an invalid value " + strconv.Quote(name) + " for a policy type.")
}

// setEnabled switches service control policies. What was attached before is not
// attached again.
func (o *organization) setEnabled(tx *account.Tx, in policyType, enabled bool) (any, error) {
	if err := checkType(in.PolicyType); err != nil {
		return nil, err
	}
	switch {
	case in.RootID != o.Root:
		return nil, badRequest("RootNotFoundException", "We can't find a root with the RootId that you specified.")
	case enabled && o.Enabled:
		return nil, badRequest("PolicyTypeAlreadyEnabledException", "The specified policy type is already enabled.")
	case !enabled && !o.Enabled:
		return nil, badRequest("PolicyTypeNotEnabledException", "The specified policy type isn't currently enabled in this root.")
	}
	o.Enabled, o.Attached = enabled, map[string][]string{}
	return map[string]any{"Root": o.root(tx)}, nil
}

type typeStatus struct{ Type, Status string }

func (o *organization) types() []typeStatus {
	if !o.Enabled {
		return []typeStatus{}
	}
	return []typeStatus{{serviceControl, "ENABLED"}}
}

func (o *organization) root(tx *account.Tx) any {
	return map[string]any{"Id": o.Root, "Arn": o.arn(tx, o.Root), "Name": "Root", "PolicyTypes": o.types()}
}

func (o *organization) described(tx *account.Tx) any {
	return map[string]any{
		"Id": o.ID, "Arn": o.arn(tx, o.ID), "FeatureSet": "ALL", "AvailablePolicyTypes": []typeStatus{{serviceControl, "ENABLED"}},
		"MasterAccountId": manager(tx), "MasterAccountArn": o.arn(tx, manager(tx)), "MasterAccountEmail": email(manager(tx)),
	}
}
