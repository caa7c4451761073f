package iam

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/managedpolicy"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A managedPolicy is a policy of the account or of AWS that can be attached to
// entities.
type managedPolicy struct {
	Name        string    `json:"name"`
	Path        string    `json:"path"`
	ID          string    `json:"id"`
	ARN         string    `json:"arn"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"`
	// Updated is when the newest version was created.
	Updated time.Time `json:"updated"`
	Tags    []tag     `json:"tags,omitempty"`
	// Versions are the existing versions, the oldest first.
	Versions []policyVersion `json:"versions"`
	// LastVersion is the number of the newest version ever: none is reused.
	LastVersion int `json:"lastVersion"`
	// Default is the ID of the version in effect.
	Default string `json:"defaultVersion"`
}

// A policyVersion is a version of a managed policy: v1, v2, …
type policyVersion struct {
	ID       string    `json:"id"`
	Document document  `json:"document"`
	Created  time.Time `json:"created"`
}

const (
	maxPolicySize  = 6144 // without white space
	maxVersions    = 5    // per policy
	maxPolicies    = 1500 // the account's own
	maxAttached    = 10   // per entity
	maxDescription = 1000
)

func managedPolicyOperations() map[string]operation {
	made := func(c *call) string {
		return c.ARN("iam", "", "policy"+orSlash(c.Get("Path"))+c.Get("PolicyName"))
	}
	named := func(c *call) string { return c.Get("PolicyArn") }
	policies := func(c *call) string { return c.ARN("iam", "", "policy"+orSlash(c.Get("PathPrefix"))) }
	operations := map[string]operation{
		"CreatePolicy": write(made, createPolicy,
			"PolicyName", "Path", "PolicyDocument", "Description", "Tags.member.N.Key", "Tags.member.N.Value"),
		"GetPolicy":    read(named, getPolicy, "PolicyArn"),
		"ListPolicies": read(policies, listPolicies, "Scope", "OnlyAttached", "PathPrefix", "PolicyUsageFilter", "MaxItems", "Marker"),
		"DeletePolicy": write(named, deletePolicy, "PolicyArn"),
		"ListEntitiesForPolicy": read(named, listEntitiesForPolicy,
			"PolicyArn", "EntityFilter", "PathPrefix", "PolicyUsageFilter", "MaxItems", "Marker"),
		"CreatePolicyVersion":     write(named, createPolicyVersion, "PolicyArn", "PolicyDocument", "SetAsDefault"),
		"GetPolicyVersion":        read(named, getPolicyVersion, "PolicyArn", "VersionId"),
		"ListPolicyVersions":      read(named, listPolicyVersions, "PolicyArn", "MaxItems", "Marker"),
		"SetDefaultPolicyVersion": write(named, setDefaultPolicyVersion, "PolicyArn", "VersionId"),
		"DeletePolicyVersion":     write(named, deletePolicyVersion, "PolicyArn", "VersionId"),
	}
	maps.Copy(operations, tagOperations("Policy", "PolicyArn", named, func(c *call) (*[]tag, error) {
		m, err := c.ownPolicy()
		if err != nil {
			return nil, err
		}
		return &m.Tags, nil
	}))
	return operations
}

// managedPolicy returns a policy of the account or of AWS; nil if it does not exist.
func (s *state) managedPolicy(arn string) *managedPolicy {
	if m, ok := s.Policies[arn]; ok {
		return m
	}
	if p, ok := s.awsPolicies.Get(arn); ok {
		return managedByAWS(p)
	}
	return nil
}

// managedByAWS returns a policy of AWS.
func managedByAWS(p *managedpolicy.Policy) *managedPolicy {
	return &managedPolicy{
		Name: p.Name, Path: p.Path, ID: p.ID, ARN: p.ARN, Description: p.Description, Created: p.Created, Updated: p.Created, Default: p.Version,
		Versions: []policyVersion{{p.Version, document{Document: p.Document, Text: p.Text}, p.Created}},
	}
}

// awsManaged returns the policies of AWS, by ARN.
func (s *state) awsManaged() map[string]*managedPolicy {
	all := map[string]*managedPolicy{}
	for p := range s.awsPolicies.All() {
		all[p.ARN] = managedByAWS(p)
	}
	return all
}

// noSuchPolicy returns the error for a managed policy that does not exist. Those of
// AWS that localaws lacks exist elsewhere.
func (s *state) noSuchPolicy(arn, message string) error {
	if s.awsPolicies.Has(arn) {
		return api.Refuse(http.StatusNotFound, "NoSuchEntity", message+" localaws has the AWS-managed policies that aws iam list-policies --scope AWS lists, and not this one.")
	}
	return noSuchEntity(message)
}

var policyARNPattern = pattern.New(`^arn:[\w-]+:iam::(aws|\d{12}):policy/.+$`)

// checkARN checks the length of an ARN; field is its name on the wire.
func checkARN(field, arn string) error {
	switch {
	case arn == "":
		return missing(field)
	case len(arn) < 20:
		return tooShort(field, 20)
	case len(arn) > 2048:
		return tooLong(field, 2048)
	}
	return nil
}

// checkPolicyARN checks the ARN of a managed policy; field is its name on the wire.
func checkPolicyARN(field, arn string) error {
	if err := checkARN(field, arn); err != nil {
		return err
	}
	switch {
	case !strings.HasPrefix(arn, "arn:"):
		return validationError("Invalid ARN:  Could not be parsed!")
	case !policyARNPattern.MatchString(arn):
		return invalidInput("ARN " + arn + " is not valid.")
	}
	return nil
}

// policy returns the managed policy that a call names.
func (c *call) policy() (*managedPolicy, error) {
	arn := c.Get("PolicyArn")
	if err := checkPolicyARN("policyArn", arn); err != nil {
		return nil, err
	}
	m := c.state.managedPolicy(arn)
	if m == nil {
		return nil, c.state.noSuchPolicy(arn, "Policy "+arn+" was not found.")
	}
	return m, nil
}

// ownPolicy returns the policy of the account that a call names. Those of AWS are
// read-only.
func (c *call) ownPolicy() (*managedPolicy, error) {
	m, err := c.policy()
	if err == nil && c.state.Policies[m.ARN] == nil {
		return nil, newError(http.StatusForbidden, api.CodeAccessDenied, "User: "+c.Caller.ARN+" is not authorized to perform: "+c.Action()+" on resource: "+m.ARN+" because AWS manages it")
	}
	return m, err
}

// managedDocument returns the document for a managed policy in a call.
func (c *call) managedDocument() (document, error) {
	d, err := c.document("PolicyDocument", policy.ParseManaged)
	if err != nil {
		return document{}, err
	}
	if lengthOf(d.Text) > maxPolicySize {
		return document{}, limitExceeded("Cannot exceed quota for PolicySize: " + strconv.Itoa(maxPolicySize))
	}
	return d, nil
}

// find returns the index of the version with an ID, or -1.
func (m *managedPolicy) find(id string) int {
	return slices.IndexFunc(m.Versions, func(v policyVersion) bool { return v.ID == id })
}

// add adds a version without making it the default.
func (m *managedPolicy) add(d document, now time.Time) policyVersion {
	m.LastVersion++
	v := policyVersion{"v" + strconv.Itoa(m.LastVersion), d, now}
	m.Versions, m.Updated = append(m.Versions, v), now
	return v
}

// usage counts the entities that a managed policy is attached to, and those that it
// is the boundary of.
type usage struct{ attached, bounds int }

// usage returns the usage of all managed policies, by ARN.
func (s *state) usage() map[string]usage {
	all := map[string]usage{}
	for _, e := range s.entities() {
		for _, arn := range e.Attached {
			u := all[arn]
			u.attached++
			all[arn] = u
		}
		if e.Boundary != "" {
			u := all[e.Boundary]
			u.bounds++
			all[e.Boundary] = u
		}
	}
	return all
}

type xmlPolicy struct {
	PolicyName                    string
	PolicyID                      string `xml:"PolicyId"`
	Arn                           string
	Path                          string
	DefaultVersionID              string `xml:"DefaultVersionId"`
	AttachmentCount               int
	PermissionsBoundaryUsageCount int
	IsAttachable                  bool
	Description                   string `xml:",omitempty"`
	CreateDate                    timestamp
	UpdateDate                    timestamp
	Tags                          *members[tag] `xml:",omitempty"`
}

// xml returns a policy without its description and its tags.
func (m *managedPolicy) xml(used usage) xmlPolicy {
	return xmlPolicy{
		PolicyName: m.Name, PolicyID: m.ID, Arn: m.ARN, Path: m.Path, DefaultVersionID: m.Default,
		AttachmentCount: used.attached, PermissionsBoundaryUsageCount: used.bounds, IsAttachable: true,
		CreateDate: timestamp(m.Created), UpdateDate: timestamp(m.Updated),
	}
}

type xmlPolicyVersion struct {
	Document         string `xml:",omitempty"`
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
	CreateDate       timestamp
}

// versionXML returns a version without its document.
func (m *managedPolicy) versionXML(v policyVersion) xmlPolicyVersion {
	return xmlPolicyVersion{VersionID: v.ID, IsDefaultVersion: v.ID == m.Default, CreateDate: timestamp(v.Created)}
}

func createPolicy(c *call) (any, error) {
	m := &managedPolicy{Name: c.Get("PolicyName"), ID: account.NewID("ANPA", 17), Created: c.Time}
	err := checkName("policyName", m.Name, 128)
	if err != nil {
		return nil, err
	}
	if m.Path, err = checkPath(c.Get("Path")); err != nil {
		return nil, err
	}
	if m.Description, err = c.description(); err != nil {
		return nil, err
	}
	if m.Tags, err = c.tags(); err != nil {
		return nil, err
	}
	d, err := c.managedDocument()
	if err != nil {
		return nil, err
	}
	for _, other := range c.state.Policies {
		if lower(other.Name) == lower(m.Name) {
			return nil, alreadyExists("A policy called " + m.Name + " already exists. Duplicate names are not allowed.")
		}
	}
	if len(c.state.Policies) >= maxPolicies {
		return nil, limitExceeded("Cannot exceed quota for PoliciesPerAccount: " + strconv.Itoa(maxPolicies))
	}
	m.ARN = c.ARN("iam", "", "policy"+m.Path+m.Name)
	m.Default = m.add(d, c.Time).ID
	c.state.Policies[m.ARN] = m
	made := m.xml(usage{})
	if len(m.Tags) > 0 {
		made.Tags = new(membersOf(m.Tags))
	}
	return fields{element("Policy", made)}, nil
}

func getPolicy(c *call) (any, error) {
	m, err := c.policy()
	if err != nil {
		return nil, err
	}
	found := m.xml(c.state.usage()[m.ARN])
	found.Description, found.Tags = m.Description, new(membersOf(m.Tags))
	return fields{element("Policy", found)}, nil
}

func listPolicies(c *call) (any, error) {
	scope, err := c.word("Scope", "All", "AWS", "Local")
	if err != nil {
		return nil, err
	}
	onlyAttached, err := c.flag("OnlyAttached")
	if err != nil {
		return nil, err
	}
	filter, err := c.usageFilter()
	if err != nil {
		return nil, err
	}
	prefix, err := c.pathPrefix()
	if err != nil {
		return nil, err
	}
	var all []xmlPolicy
	used := c.state.usage()
	list := func(policies map[string]*managedPolicy) {
		for _, arn := range slices.Sorted(maps.Keys(policies)) {
			m, u := policies[arn], used[arn]
			if strings.HasPrefix(m.Path, prefix) && (u.attached > 0 || !onlyAttached) && filter.lets(u.attached > 0, u.bounds > 0) {
				all = append(all, m.xml(u))
			}
		}
	}
	if scope != "AWS" {
		list(c.state.Policies)
	}
	if scope != "Local" {
		list(c.state.awsManaged())
	}
	return paged(c, "Policies", all)
}

// A usageFilter filters a list of policies by their use.
type usageFilter string

func (c *call) usageFilter() (usageFilter, error) {
	filter, err := c.word("PolicyUsageFilter", "PermissionsPolicy", "PermissionsBoundary")
	return usageFilter(filter), err
}

// lets reports whether the filter keeps a policy with this use.
func (f usageFilter) lets(attached, bounds bool) bool {
	return f == "" || f == "PermissionsPolicy" && attached || f == "PermissionsBoundary" && bounds
}

func deletePolicy(c *call) (any, error) {
	m, err := c.ownPolicy()
	if err != nil {
		return nil, err
	}
	if c.state.usage()[m.ARN] != (usage{}) {
		return nil, newError(http.StatusConflict, "DeleteConflict", "Cannot delete a policy attached to entities.")
	}
	if len(m.Versions) > 1 {
		return nil, newError(http.StatusConflict, "DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	}
	delete(c.state.Policies, m.ARN)
	return nil, nil
}

// A holder is an entity that has a policy, with the name of its kind.
type holder struct {
	kind string
	*entity
}

func listEntitiesForPolicy(c *call) (any, error) {
	m, err := c.policy()
	if err != nil {
		return nil, err
	}
	only, err := c.word("EntityFilter", "User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")
	if err != nil {
		return nil, err
	}
	filter, err := c.usageFilter()
	if err != nil {
		return nil, err
	}
	prefix, err := c.pathPrefix()
	if err != nil {
		return nil, err
	}
	var all []holder
	for kind, e := range c.state.entities() {
		attached, bounds := slices.Contains(e.Attached, m.ARN), e.Boundary == m.ARN
		if (attached || bounds) && filter.lets(attached, bounds) && (only == "" || only == kind) && strings.HasPrefix(e.Path, prefix) {
			all = append(all, holder{kind, e})
		}
	}
	items, more, err := page(c, all)
	if err != nil {
		return nil, err
	}
	ofKind := map[string][]fields{}
	for _, item := range items {
		ofKind[item.kind] = append(ofKind[item.kind], fields{element(item.kind+"Name", item.Name), element(item.kind+"Id", item.ID)})
	}
	return append(fields{
		element("PolicyGroups", membersOf(ofKind["Group"])),
		element("PolicyUsers", membersOf(ofKind["User"])),
		element("PolicyRoles", membersOf(ofKind["Role"])),
	}, more...), nil
}

func createPolicyVersion(c *call) (any, error) {
	m, err := c.ownPolicy()
	if err != nil {
		return nil, err
	}
	asDefault, err := c.flag("SetAsDefault")
	if err != nil {
		return nil, err
	}
	d, err := c.managedDocument()
	if err != nil {
		return nil, err
	}
	if len(m.Versions) >= maxVersions {
		return nil, limitExceeded("A managed policy can have up to " + strconv.Itoa(maxVersions) + " versions. Before you create a new version, you must delete an existing version.")
	}
	v := m.add(d, c.Time)
	if asDefault {
		m.Default = v.ID
	}
	return fields{element("PolicyVersion", m.versionXML(v))}, nil
}

var versionPattern = pattern.New(`^v[1-9][0-9]*(\.[A-Za-z0-9-]*)?$`)

// version returns the index of the version that a call names.
func (c *call) version(m *managedPolicy) (int, error) {
	id := c.Get("VersionId")
	if !versionPattern.MatchString(id) {
		return 0, invalid("versionId", `failed to satisfy constraint: Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`)
	}
	at := m.find(id)
	if at < 0 {
		return 0, noSuchEntity("Policy " + m.ARN + " version " + id + " does not exist or is not attachable.")
	}
	return at, nil
}

func getPolicyVersion(c *call) (any, error) {
	m, err := c.policy()
	if err != nil {
		return nil, err
	}
	at, err := c.version(m)
	if err != nil {
		return nil, err
	}
	x := m.versionXML(m.Versions[at])
	x.Document = percentEncoded(m.Versions[at].Document.Text)
	return fields{element("PolicyVersion", x)}, nil
}

// listPolicyVersions lists the newest first.
func listPolicyVersions(c *call) (any, error) {
	m, err := c.policy()
	if err != nil {
		return nil, err
	}
	var all []xmlPolicyVersion
	for _, v := range slices.Backward(m.Versions) {
		all = append(all, m.versionXML(v))
	}
	return paged(c, "Versions", all)
}

func setDefaultPolicyVersion(c *call) (any, error) {
	m, err := c.ownPolicy()
	if err != nil {
		return nil, err
	}
	at, err := c.version(m)
	if err != nil {
		return nil, err
	}
	m.Default = m.Versions[at].ID
	return nil, nil
}

func deletePolicyVersion(c *call) (any, error) {
	m, err := c.ownPolicy()
	if err != nil {
		return nil, err
	}
	at, err := c.version(m)
	if err != nil {
		return nil, err
	}
	if m.Versions[at].ID == m.Default {
		return nil, newError(http.StatusConflict, "DeleteConflict", "Cannot delete the default version of a policy.")
	}
	m.Versions = slices.Delete(slices.Clone(m.Versions), at, at+1)
	return nil, nil
}

// attachmentOperations returns the operations that attach managed policies to a kind
// of entity.
func attachmentOperations(k kind) map[string]operation {
	owner := k.name + "Name"
	keys := func(c *call) map[string][]string {
		keys := map[string][]string{"iam:policyarn": {c.Get("PolicyArn")}}
		maps.Copy(keys, k.boundaryKey(c))
		return keys
	}
	return map[string]operation{
		"Attach" + k.name + "Policy": with(write(k.resource, func(c *call) (any, error) {
			e, err := k.find(c)
			if err != nil {
				return nil, err
			}
			arn := c.Get("PolicyArn")
			if err := checkPolicyARN("policyArn", arn); err != nil {
				return nil, err
			}
			if c.state.managedPolicy(arn) == nil {
				return nil, c.state.noSuchPolicy(arn, "Policy "+arn+" does not exist or is not attachable.")
			}
			if slices.Contains(e.Attached, arn) {
				return nil, nil
			}
			if p, ok := c.state.awsPolicies.Get(arn); ok && p.ServiceLinked() {
				return nil, newError(http.StatusBadRequest, "PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Role.")
			}
			if len(e.Attached) >= maxAttached {
				return nil, limitExceeded("Cannot exceed quota for PoliciesPer" + k.name + ": " + strconv.Itoa(maxAttached))
			}
			e.Attached = append(e.Attached, arn)
			return nil, nil
		}, owner, "PolicyArn"), keys),
		"Detach" + k.name + "Policy": with(write(k.resource, func(c *call) (any, error) {
			e, err := k.find(c)
			if err != nil {
				return nil, err
			}
			arn := c.Get("PolicyArn")
			if err := checkPolicyARN("policyArn", arn); err != nil {
				return nil, err
			}
			at := slices.Index(e.Attached, arn)
			if at < 0 {
				return nil, noSuchEntity("Policy " + arn + " was not found.")
			}
			e.Attached = slices.Delete(slices.Clone(e.Attached), at, at+1)
			return nil, nil
		}, owner, "PolicyArn"), keys),
		"ListAttached" + k.name + "Policies": read(k.resource, func(c *call) (any, error) {
			e, err := k.find(c)
			if err != nil {
				return nil, err
			}
			prefix, err := c.pathPrefix()
			if err != nil {
				return nil, err
			}
			var all []fields
			for _, arn := range e.Attached {
				if m := c.state.managedPolicy(arn); m != nil && strings.HasPrefix(m.Path, prefix) {
					all = append(all, fields{element("PolicyName", m.Name), element("PolicyArn", arn)})
				}
			}
			return paged(c, "AttachedPolicies", all)
		}, owner, "PathPrefix", "MaxItems", "Marker"),
	}
}
