package organizations

import (
	"maps"
	"slices"
	"strconv"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

const (
	// maxPolicies bounds the policies of an organization; AWS has a higher limit.
	maxPolicies = 1000
	// maxAttached bounds the policies of a root, a unit or an account, as on AWS.
	maxAttached = 5
	// maxContent bounds the length of a policy, as on AWS.
	maxContent = 5120
	// maxDescription bounds the description of a policy.
	maxDescription = 512
)

type policyInput struct {
	Name, Description, Content, Type string
}

type policyUpdate struct {
	ID                         string `json:"PolicyId"`
	Name, Description, Content *string
}

type policyNamed struct {
	ID string `json:"PolicyId"`
}

type policiesOf struct {
	Filter string
	paging
}

type resource struct {
	ID        string `json:"ResourceId"`
	NextToken string
}

func policyOperations() []api.Operation {
	return []api.Operation{
		on("CreatePolicy", nil, createPolicy),
		on("UpdatePolicy", idOf(func(in policyUpdate) string { return in.ID }), updatePolicy),
		on("DeletePolicy", idOf(func(in policyNamed) string { return in.ID }), deletePolicy),
		on("DescribePolicy", idOf(func(in policyNamed) string { return in.ID }), func(tx *account.Tx, o *organization, in policyNamed) (any, error) {
			p, err := o.find(in.ID)
			if err != nil {
				return nil, err
			}
			return map[string]any{"Policy": p.described(tx, o)}, nil
		}),
		on("ListPolicies", nil, func(tx *account.Tx, o *organization, in policiesOf) (any, error) {
			if err := checkType(in.Filter); err != nil {
				return nil, err
			}
			return listPolicies(tx, o, in.paging, append(slices.Collect(maps.Keys(o.Policies)), fullAccess))
		}),
		// Nothing has tags: the operations that set them are refused.
		on("ListTagsForResource", idOf(func(in resource) string { return in.ID }), func(tx *account.Tx, o *organization, in resource) (any, error) {
			if !o.exists(tx, in.ID) && o.policy(in.ID) == nil {
				return nil, targetNotFound()
			}
			return map[string]any{"Tags": []any{}}, nil
		}),
	}
}

type policySummary struct {
	ID                      string `json:"Id"`
	ARN                     string `json:"Arn"`
	Name, Description, Type string
	AWSManaged              bool `json:"AwsManaged"`
}

func (p *controlPolicy) summary(tx *account.Tx, o *organization) policySummary {
	return policySummary{p.ID, o.arn(tx, p.ID), p.Name, p.Description, serviceControl, p.ID == fullAccess}
}

func (p *controlPolicy) described(tx *account.Tx, o *organization) any {
	return map[string]any{"PolicySummary": p.summary(tx, o), "Content": p.Content.Text}
}

// find returns the policy with an ID.
func (o *organization) find(id string) (*controlPolicy, error) {
	if p := o.policy(id); p != nil {
		return p, nil
	}
	return nil, badRequest("PolicyNotFoundException", "We can't find a policy with the PolicyId that you specified.")
}

func listPolicies(tx *account.Tx, o *organization, in paging, ids []string) (any, error) {
	slices.Sort(ids)
	var all []policySummary
	for _, id := range ids {
		all = append(all, o.policy(id).summary(tx, o))
	}
	return listed(in, "Policies", all, func(p policySummary) string { return p.ID })
}

// set checks and sets what a policy has; nil leaves it.
func (o *organization) set(p *controlPolicy, name, description, content *string) error {
	changed := *p
	if name != nil {
		if err := checkName(*name); err != nil {
			return err
		}
		if *name == managed().Name || slices.ContainsFunc(slices.Collect(maps.Values(o.Policies)), func(other *controlPolicy) bool { return other.Name == *name && other.ID != p.ID }) {
			return badRequest("DuplicatePolicyException", "A policy with the same name already exists.")
		}
		changed.Name = *name
	}
	if description != nil {
		if len([]rune(*description)) > maxDescription {
			return invalid("You specified an invalid value for Description: expected up to " + strconv.Itoa(maxDescription) + " characters.")
		}
		changed.Description = *description
	}
	if content != nil {
		if len(*content) > maxContent {
			return exceeded("You've exceeded the maximum policy size of " + strconv.Itoa(maxContent) + " characters.")
		}
		if err := changed.Content.UnmarshalText([]byte(*content)); err != nil {
			return badRequest("MalformedPolicyDocumentException", "The provided policy document does not meet the requirements of the specified policy type: "+err.Error())
		}
	}
	*p = changed
	return nil
}

func createPolicy(tx *account.Tx, o *organization, in policyInput) (any, error) {
	if err := checkType(in.Type); err != nil {
		return nil, err
	}
	if len(o.Policies) >= maxPolicies {
		return nil, exceeded("You've exceeded the number of policies that you can have in an organization.")
	}
	p := &controlPolicy{ID: account.NewName("p-", 8)}
	if err := o.set(p, &in.Name, &in.Description, &in.Content); err != nil {
		return nil, err
	}
	o.Policies[p.ID] = p
	return map[string]any{"Policy": p.described(tx, o)}, nil
}

func updatePolicy(tx *account.Tx, o *organization, in policyUpdate) (any, error) {
	p, err := o.findOwn(in.ID)
	if err != nil {
		return nil, err
	}
	if err := o.set(p, in.Name, in.Description, in.Content); err != nil {
		return nil, err
	}
	return map[string]any{"Policy": p.described(tx, o)}, nil
}

// findOwn returns the policy with an ID, which is not AWS's.
func (o *organization) findOwn(id string) (*controlPolicy, error) {
	if id == fullAccess {
		return nil, invalid("You specified a policy that is managed by AWS and can't be modified.")
	}
	return o.find(id)
}

func deletePolicy(_ *account.Tx, o *organization, in policyNamed) (any, error) {
	p, err := o.findOwn(in.ID)
	if err != nil {
		return nil, err
	}
	for _, ids := range o.Attached {
		if slices.Contains(ids, p.ID) {
			return nil, badRequest("PolicyInUseException", "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts before performing this operation.")
		}
	}
	delete(o.Policies, p.ID)
	return none{}, nil
}

type attachment struct {
	PolicyID string `json:"PolicyId"`
	TargetID string `json:"TargetId"`
}

type policiesOfTarget struct {
	TargetID string `json:"TargetId"`
	Filter   string
	paging
}

type targetsOf struct {
	ID string `json:"PolicyId"`
	paging
}

func attachmentOperations() []api.Operation {
	both := func(in attachment) []string { return []string{in.PolicyID, in.TargetID} }
	return []api.Operation{
		on("AttachPolicy", both, func(tx *account.Tx, o *organization, in attachment) (any, error) {
			if err := o.checkAttachment(tx, in); err != nil {
				return nil, err
			}
			now := o.attached(in.TargetID)
			switch {
			case slices.Contains(now, in.PolicyID):
				return nil, badRequest("DuplicatePolicyAttachmentException", "The selected policy is already attached to the specified target.")
			case len(now) >= maxAttached:
				return nil, exceeded("You've exceeded the number of policies of type " + serviceControl + " that you can attach to a target: " + strconv.Itoa(maxAttached) + ".")
			}
			o.Attached[in.TargetID] = append(slices.Clone(now), in.PolicyID)
			return none{}, nil
		}),
		on("DetachPolicy", both, func(tx *account.Tx, o *organization, in attachment) (any, error) {
			if err := o.checkAttachment(tx, in); err != nil {
				return nil, err
			}
			now := o.attached(in.TargetID)
			switch {
			case !slices.Contains(now, in.PolicyID):
				return nil, badRequest("PolicyNotAttachedException", "The policy isn't attached to the specified target in the specified root.")
			case len(now) == 1:
				return nil, exceeded("You can't detach the last policy of type " + serviceControl + " from a target: attach another first.")
			}
			o.Attached[in.TargetID] = slices.DeleteFunc(slices.Clone(now), func(id string) bool { return id == in.PolicyID })
			return none{}, nil
		}),
		on("ListPoliciesForTarget", idOf(func(in policiesOfTarget) string { return in.TargetID }), func(tx *account.Tx, o *organization, in policiesOfTarget) (any, error) {
			if err := checkType(in.Filter); err != nil {
				return nil, err
			}
			if !o.exists(tx, in.TargetID) {
				return nil, targetNotFound()
			}
			return listPolicies(tx, o, in.paging, slices.Clone(o.attached(in.TargetID)))
		}),
		on("ListTargetsForPolicy", idOf(func(in targetsOf) string { return in.ID }), listTargets),
	}
}

func targetNotFound() error {
	return badRequest("TargetNotFoundException", "We can't find a root, OU, or account with the TargetId that you specified.")
}

func (o *organization) checkAttachment(tx *account.Tx, in attachment) error {
	if _, err := o.find(in.PolicyID); err != nil {
		return err
	}
	switch {
	case !o.exists(tx, in.TargetID):
		return targetNotFound()
	case !o.Enabled:
		return badRequest("PolicyTypeNotEnabledException", "The specified policy type isn't currently enabled in this root.")
	}
	return nil
}

type target struct {
	ID   string `json:"TargetId"`
	ARN  string `json:"Arn"`
	Name string
	Type string
}

func listTargets(tx *account.Tx, o *organization, in targetsOf) (any, error) {
	if _, err := o.find(in.ID); err != nil {
		return nil, err
	}
	candidates := slices.Concat([]string{o.Root}, slices.Sorted(maps.Keys(o.Units)), accountIDs(tx))
	slices.Sort(candidates)
	var all []target
	for _, id := range candidates {
		if slices.Contains(o.attached(id), in.ID) {
			all = append(all, target{id, o.arn(tx, id), o.name(id), kindOf(id)})
		}
	}
	return listed(in.paging, "Targets", all, func(t target) string { return t.ID })
}

// name returns the name of a root, a unit or an account.
func (o *organization) name(id string) string {
	if u, ok := o.Units[id]; ok {
		return u.Name
	}
	if id == o.Root {
		return "Root"
	}
	return "account-" + id
}
