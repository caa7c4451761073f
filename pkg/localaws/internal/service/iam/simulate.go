package iam

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// The parameters for a hierarchy of service control policies.
const (
	organizationInputs = "OrderedOrganizationPolicyInputList.member"
	controlInputs      = "ServiceControlPolicyInputList"
)

func simulationOperations() map[string]operation {
	source := func(c *call) string { return c.Get("PolicySourceArn") }
	accepts := []string{
		"PolicyInputList.member.N", "PermissionsBoundaryPolicyInputList.member.N", "ActionNames.member.N", "ResourceArns.member.N",
		"ContextEntries.member.N.ContextKeyName", "ContextEntries.member.N.ContextKeyType", "ContextEntries.member.N.ContextKeyValues.member.N",
		"MaxItems", "Marker",
	}
	return map[string]operation{
		"SimulateCustomPolicy":             read(anything, simulateCustomPolicy, append(accepts, organizationInputs+".N."+controlInputs+".member.N")...),
		"SimulatePrincipalPolicy":          read(source, simulatePrincipalPolicy, append(accepts, "PolicySourceArn")...),
		"GetContextKeysForCustomPolicy":    read(anything, contextKeysForCustomPolicy, "PolicyInputList.member.N"),
		"GetContextKeysForPrincipalPolicy": read(source, contextKeysForPrincipalPolicy, "PolicySourceArn", "PolicyInputList.member.N"),
	}
}

// A source is a policy of a simulation and its name in AWS's response.
type source struct {
	id string
	document
	of xmlSource // of an existing policy
}

// An xmlSource identifies a managed policy, or an inline policy of an entity.
type xmlSource struct {
	PolicyName string
	PolicyType string
	PolicyArn  string `xml:",omitempty"`
	EntityType string `xml:",omitempty"`
	EntityName string `xml:",omitempty"`
}

// sources returns the policies of an entity and of a user's groups.
func (s *state) sources(kind string, e *entity) []source {
	var all []source
	for _, inline := range e.Inline {
		of := xmlSource{PolicyName: inline.Name, PolicyType: "INLINE", EntityType: strings.ToUpper(kind), EntityName: e.Name}
		all = append(all, source{lower(kind) + "_" + e.Name + "_" + inline.Name, inline.Document, of})
	}
	for _, arn := range e.Attached {
		if managed, ok := s.managedSource(arn); ok {
			all = append(all, managed)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Groups)) {
		if g := s.Groups[name]; slices.Contains(g.Members, e.ID) {
			all = append(all, s.sources("Group", &g.entity)...)
		}
	}
	return all
}

// managedSource returns the default version of a managed policy.
func (s *state) managedSource(arn string) (source, bool) {
	m := s.managedPolicy(arn)
	if m == nil {
		return source{}, false
	}
	at := m.find(m.Default)
	if at < 0 {
		return source{}, false
	}
	return source{m.Name, m.Versions[at].Document, xmlSource{PolicyName: m.Name, PolicyType: "MANAGED", PolicyArn: m.ARN}}, true
}

// inputs returns the policies in a list parameter.
func (c *call) inputs(list string) ([]source, error) {
	var all []source
	for i, text := range c.List(list+".member", "") {
		id := list + "." + strconv.Itoa(i+1)
		document, err := parseDocument(text, policy.Parse)
		if err != nil {
			return nil, invalidInput("Invalid policy " + id + ": " + api.ErrorOf(err).Message)
		}
		all = append(all, source{id: id, document: document})
	}
	return all, nil
}

// entity returns the user, group or role with an ARN, and the name of its kind.
func (c *call) entity(arn string) (kind string, e *entity, err error) {
	for kind, e := range c.state.entities() {
		if e.ARN == arn {
			return kind, e, nil
		}
	}
	for _, k := range kinds() {
		if name, ok := strings.CutPrefix(arn, c.ARN("iam", "", lower(k.name)+"/")); ok {
			return "", nil, noSuchEntity("The " + lower(k.name) + " with name " + name[strings.LastIndex(name, "/")+1:] + " cannot be found.")
		}
	}
	return "", nil, invalidInput("Invalid Entity Arn: " + arn + " does not name a user, group or role of account " + c.Account.ID + ".")
}

// A simulation evaluates requests against policies.
type simulation struct {
	policies []source
	boundary *source // nil without one
	context  map[string][]string
	// organized reports that the account is in an organization, and limits are the
	// organization's service control policies, a list a level.
	organized bool
	limits    [][]*policy.Document
}

func simulateCustomPolicy(c *call) (any, error) {
	policies, err := c.inputs("PolicyInputList")
	if err != nil {
		return nil, err
	}
	if len(policies) == 0 {
		return nil, missing("policyInputList")
	}
	limits, err := c.controlInputs()
	if err != nil {
		return nil, err
	}
	return c.simulate(&simulation{policies: policies, context: c.timeKeys(), organized: len(limits) > 0, limits: limits})
}

// controlInputs returns the service control policies in a call, a list a level.
func (c *call) controlInputs() ([][]*policy.Document, error) {
	var levels [][]*policy.Document
	for {
		level, err := c.inputs(organizationInputs + "." + strconv.Itoa(len(levels)+1) + "." + controlInputs)
		if err != nil {
			return nil, err
		}
		if len(level) == 0 {
			return levels, nil
		}
		var documents []*policy.Document
		for _, source := range level {
			documents = append(documents, source.Document)
		}
		levels = append(levels, documents)
	}
}

// simulatePrincipalPolicy sets the condition keys that a call by the user or role
// would have, unless the call overrides them.
func simulatePrincipalPolicy(c *call) (any, error) {
	kind, e, err := c.entity(c.Get("PolicySourceArn"))
	if err != nil {
		return nil, err
	}
	added, err := c.inputs("PolicyInputList")
	if err != nil {
		return nil, err
	}
	s := &simulation{policies: append(c.state.sources(kind, e), added...), context: c.timeKeys(), organized: c.InOrganization(), limits: e.limits(c.Tx)}
	if e.Boundary != "" {
		boundary, ok := c.state.managedSource(e.Boundary)
		if !ok {
			boundary.Document = &policy.Document{} // a deleted boundary allows nothing
		}
		s.boundary = &boundary
	}
	if kind != "Group" {
		s.context["aws:principalarn"] = []string{e.ARN}
		s.context["aws:principalaccount"] = []string{c.Account.ID}
		for _, tag := range e.Tags {
			s.context["aws:principaltag/"+lower(tag.Key)] = []string{tag.Value}
		}
	}
	if kind == "User" {
		s.context["aws:username"], s.context["aws:userid"] = []string{e.Name}, []string{e.ID}
	}
	return c.simulate(s)
}

func (c *call) timeKeys() map[string][]string {
	return map[string][]string{
		"aws:currenttime": {c.Time.Format(time.RFC3339)},
		"aws:epochtime":   {strconv.FormatInt(c.Time.Unix(), 10)},
	}
}

// maxSimulated bounds the pairs of an action and a resource in one call, because the
// state is locked meanwhile.
const maxSimulated = 10000

// maxDetails bounds the statements that are evaluated for one response, and its missing
// context keys. A page is shorter than the call wants if it needs more; AWS may shorten
// pages too.
const maxDetails = 20000

type xmlEvaluation struct {
	EvalActionName                    string
	EvalResourceName                  string
	EvalDecision                      string
	MatchedStatements                 members[xmlMatched]
	MissingContextValues              members[string]
	OrganizationsDecisionDetail       *xmlOrganizationDecision `xml:",omitempty"`
	PermissionsBoundaryDecisionDetail *xmlBoundaryDecision     `xml:",omitempty"`
	// EvalDecisionDetails is about other accounts: AWS returns it empty for a resource,
	// and not at all for all of them, or if a service control policy denies.
	EvalDecisionDetails     *struct{}                   `xml:",omitempty"`
	ResourceSpecificResults *members[xmlResourceResult] `xml:",omitempty"`
}

// An xmlResourceResult repeats the evaluation of a resource that a call names.
type xmlResourceResult struct {
	EvalResourceName                  string
	EvalResourceDecision              string
	MatchedStatements                 members[xmlMatched]
	MissingContextValues              members[string]
	PermissionsBoundaryDecisionDetail *xmlBoundaryDecision `xml:",omitempty"`
}

type xmlMatched struct {
	SourcePolicyID             string `xml:"SourcePolicyId"`
	SourcePolicyType           string
	StartPosition, EndPosition policy.Position
}

type xmlBoundaryDecision struct{ AllowedByPermissionsBoundary bool }

type xmlOrganizationDecision struct{ AllowedByOrganizations bool }

// simulate evaluates every action on every resource in a call.
func (c *call) simulate(s *simulation) (any, error) {
	boundaries, err := c.inputs("PermissionsBoundaryPolicyInputList")
	if err != nil {
		return nil, err
	}
	if len(boundaries) > 1 {
		return nil, invalidInput("Only one permissions boundary can be in effect at a time.")
	}
	for _, boundary := range boundaries {
		s.boundary = &boundary
	}
	given, err := c.contextEntries()
	if err != nil {
		return nil, err
	}
	maps.Copy(s.context, given)
	actions, err := c.actions()
	if err != nil {
		return nil, err
	}
	resources, err := c.resources()
	if err != nil {
		return nil, err
	}
	if len(actions)*len(resources) > maxSimulated {
		return nil, api.Refuse(http.StatusBadRequest, "InvalidInput", "localaws simulates at most "+strconv.Itoa(maxSimulated)+" pairs of an action and a resource in one call.")
	}
	var requests []policy.Request
	for _, action := range actions {
		for _, resource := range resources {
			requests = append(requests, policy.Request{Action: action, Resource: resource, Context: s.context})
		}
	}
	absent := s.absent()
	details := len(absent)
	for _, source := range s.all() {
		details += source.Len()
	}
	for _, document := range slices.Concat(s.limits...) {
		details += document.Len()
	}
	requests, more, err := pageOf(c, requests, max(1, maxDetails/max(1, details)))
	if err != nil {
		return nil, err
	}
	var results []xmlEvaluation
	for _, request := range requests {
		result := s.evaluate(request)
		result.missing(absent)
		results = append(results, result)
	}
	return append(fields{element("EvaluationResults", membersOf(results))}, more...), nil
}

func (c *call) actions() ([]string, error) {
	actions := c.List("ActionNames.member", "")
	if len(actions) == 0 {
		return nil, missing("actionNames")
	}
	for _, action := range actions {
		if vendor, name, ok := strings.Cut(action, ":"); !ok || vendor == "" || name == "" || len(action) > 128 || strings.ContainsAny(action, "*?") {
			return nil, invalidInput("Invalid action " + strconv.Quote(action) + ": expected <service>:<operation>, without wildcards.")
		}
	}
	return actions, nil
}

// resources returns the resources in a call, or "*" if it names none.
func (c *call) resources() ([]string, error) {
	resources := c.List("ResourceArns.member", "")
	if len(resources) == 0 {
		return []string{"*"}, nil
	}
	for _, resource := range resources {
		if resource != "*" && (!strings.HasPrefix(resource, "arn:") || strings.Count(resource, ":") < 5 || len(resource) > 2048) {
			return nil, invalidInput("Invalid resource " + strconv.Quote(resource) + `: expected an ARN or "*".`)
		}
	}
	return resources, nil
}

// contextEntries returns the condition keys in a call, in lower case.
func (c *call) contextEntries() (map[string][]string, error) {
	const entries = "ContextEntries.member"
	keys, types := c.List(entries, ".ContextKeyName"), c.List(entries, ".ContextKeyType")
	if len(keys) != len(types) || c.Has(entries+"."+strconv.Itoa(len(keys)+1)+".ContextKeyValues.member.1") {
		return nil, invalidInput("Every context entry requires a ContextKeyName and a ContextKeyType.")
	}
	context := map[string][]string{}
	for i, key := range keys {
		values := c.List(entries+"."+strconv.Itoa(i+1)+".ContextKeyValues.member", "")
		one, isList := strings.CutSuffix(types[i], "List")
		switch {
		case !slices.Contains([]string{"string", "numeric", "boolean", "ip", "binary", "date"}, one):
			return nil, invalid("contextKeyType", "failed to satisfy constraint: Member must satisfy enum value set: [string, stringList, numeric, numericList, boolean, booleanList, ip, ipList, binary, binaryList, date, dateList]")
		case !isList && len(values) != 1:
			return nil, invalidInput("Context key " + key + " is of type " + types[i] + " and takes one value, not " + strconv.Itoa(len(values)) + ".")
		}
		context[lower(key)] = values
	}
	return context, nil
}

// all returns the policies of a simulation, its boundary last.
func (s *simulation) all() []source {
	if s.boundary == nil {
		return s.policies
	}
	return append(slices.Clip(s.policies), *s.boundary)
}

// evaluate evaluates a request and returns the statements that decide: the matching
// ones, or only those that deny if any does.
func (s *simulation) evaluate(request policy.Request) xmlEvaluation {
	result := xmlEvaluation{EvalActionName: request.Action, EvalResourceName: request.Resource}
	limited := s.organization(request)
	if s.organized {
		result.OrganizationsDecisionDetail = &xmlOrganizationDecision{limited == policy.Allow}
	}
	if limited != policy.Allow {
		result.EvalDecision = limited.String()
		return result
	}
	var policies policy.Policies
	for _, source := range s.policies {
		policies.Identity = append(policies.Identity, source.Document)
	}
	if s.boundary != nil {
		policies.Boundary = s.boundary.Document
		result.PermissionsBoundaryDecisionDetail = &xmlBoundaryDecision{policy.Evaluate(request, policies.Boundary) == policy.Allow}
	}
	decision := policy.Authorize(request, policies).Decision
	result.EvalDecision = decision.String()
	if decision == policy.ImplicitDeny {
		return result
	}
	for _, source := range s.all() {
		for _, statement := range source.Matching(request) {
			if statement.Deny == (decision == policy.ExplicitDeny) {
				result.MatchedStatements.Member = append(result.MatchedStatements.Member, xmlMatched{source.id, "IAM Policy", statement.Start, statement.End})
			}
		}
	}
	return result
}

// organization returns the decision of the service control policies. Unless they allow
// the request, AWS evaluates nothing else.
func (s *simulation) organization(request policy.Request) policy.Decision {
	decision := policy.Allow
	for _, level := range s.limits {
		switch policy.Evaluate(request, level...) {
		case policy.ExplicitDeny:
			return policy.ExplicitDeny
		case policy.ImplicitDeny:
			decision = policy.ImplicitDeny
		}
	}
	return decision
}

// missing sets the context keys that are missing: those of a resource that the call
// names are with it.
func (x *xmlEvaluation) missing(keys []string) {
	if x.EvalResourceName == "*" {
		x.MissingContextValues.Member = keys
		return
	}
	if o := x.OrganizationsDecisionDetail; o == nil || o.AllowedByOrganizations {
		x.EvalDecisionDetails = &struct{}{}
	}
	x.ResourceSpecificResults = new(membersOf([]xmlResourceResult{
		{x.EvalResourceName, x.EvalDecision, x.MatchedStatements, membersOf(keys), x.PermissionsBoundaryDecisionDetail},
	}))
}

// absent returns the keys that the policies use and the request lacks.
func (s *simulation) absent() []string {
	return slices.DeleteFunc(contextKeys(s.all()), func(key string) bool {
		_, given := s.context[lower(key)]
		return given
	})
}

// contextKeys returns the condition keys of policies, sorted, each once.
func contextKeys(policies []source) []string {
	var documents []*policy.Document
	for _, source := range policies {
		documents = append(documents, source.Document)
	}
	return policy.ContextKeys(documents...)
}

func contextKeysForCustomPolicy(c *call) (any, error) {
	policies, err := c.inputs("PolicyInputList")
	if err != nil {
		return nil, err
	}
	if len(policies) == 0 {
		return nil, missing("policyInputList")
	}
	return fields{element("ContextKeyNames", membersOf(contextKeys(policies)))}, nil
}

func contextKeysForPrincipalPolicy(c *call) (any, error) {
	kind, e, err := c.entity(c.Get("PolicySourceArn"))
	if err != nil {
		return nil, err
	}
	added, err := c.inputs("PolicyInputList")
	if err != nil {
		return nil, err
	}
	return fields{element("ContextKeyNames", membersOf(contextKeys(append(c.state.sources(kind, e), added...))))}, nil
}
