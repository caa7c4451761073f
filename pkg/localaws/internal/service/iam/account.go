package iam

import (
	"maps"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// accountOperations returns the operations on the account as a whole.
func accountOperations() map[string]operation {
	return map[string]operation{
		"CreateAccountAlias":             write(anything, createAccountAlias, "AccountAlias"),
		"DeleteAccountAlias":             write(anything, deleteAccountAlias, "AccountAlias"),
		"ListAccountAliases":             read(anything, listAccountAliases, "MaxItems", "Marker"),
		"GetAccountSummary":              read(anything, getAccountSummary),
		"GetAccountAuthorizationDetails": read(anything, getAccountAuthorizationDetails, "Filter.member.N", "MaxItems", "Marker"),
	}
}

var aliasPattern = pattern.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// checkAlias checks the alias in a call.
func (c *call) checkAlias() error {
	if alias := c.Get("AccountAlias"); len(alias) < 3 || len(alias) > 63 || !aliasPattern.MatchString(alias) {
		return invalid("accountAlias", "failed to satisfy constraint: Member must have 3 to 63 lowercase letters, digits and single dashes, and neither begin nor end with a dash")
	}
	return nil
}

// createAccountAlias replaces the existing alias: an account has one.
func createAccountAlias(c *call) (any, error) {
	alias := c.Get("AccountAlias")
	if err := c.checkAlias(); err != nil {
		return nil, err
	}
	switch {
	case account.IDPattern().MatchString(alias):
		return nil, invalidInput("The account alias " + alias + " looks like an account ID.")
	case alias == c.state.Alias:
		return nil, alreadyExists("The account alias " + alias + " already exists.")
	}
	c.state.Alias = alias
	return nil, nil
}

func deleteAccountAlias(c *call) (any, error) {
	alias := c.Get("AccountAlias")
	if err := c.checkAlias(); err != nil {
		return nil, err
	}
	if alias != c.state.Alias {
		return nil, noSuchEntity("The account alias " + alias + " cannot be found.")
	}
	c.state.Alias = ""
	return nil, nil
}

func listAccountAliases(c *call) (any, error) {
	var all []string
	if c.state.Alias != "" {
		all = append(all, c.state.Alias)
	}
	return paged(c, "AccountAliases", all)
}

// An xmlEntry is an entry of a map.
type xmlEntry struct {
	Key   string `xml:"key"`
	Value int    `xml:"value"`
}

func getAccountSummary(c *call) (any, error) {
	versions, inUse := 0, 0
	for _, policy := range c.state.Policies {
		versions += len(policy.Versions)
	}
	for _, device := range c.state.MFADevices {
		if device.user != nil {
			inUse++
		}
	}
	// The keys that begin with Account are about the root user, which has nothing
	// here.
	summary := []xmlEntry{
		{"Users", len(c.state.Users)}, {"UsersQuota", maxUsers}, {"AccessKeysPerUserQuota", maxKeys}, {"GroupsPerUserQuota", maxGroupsPerUser},
		{"Groups", len(c.state.Groups)}, {"GroupsQuota", maxGroups},
		{"Roles", len(c.state.Roles)}, {"RolesQuota", maxRoles}, {"AssumeRolePolicySizeQuota", maxTrust},
		{"Policies", len(c.state.Policies)}, {"PoliciesQuota", maxPolicies}, {"PolicyVersionsInUse", versions}, {"PolicySizeQuota", maxPolicySize}, {"VersionsPerPolicyQuota", maxVersions},
		{"InstanceProfiles", len(c.state.Profiles)}, {"InstanceProfilesQuota", maxProfiles},
		{"Providers", len(c.state.Providers)}, {"MFADevices", len(c.state.MFADevices)}, {"MFADevicesInUse", inUse},
		{"AccountMFAEnabled", 0}, {"AccountAccessKeysPresent", 0}, {"AccountPasswordPresent", 0}, {"AccountSigningCertificatesPresent", 0},
	}
	for _, k := range kinds() {
		summary = append(summary, xmlEntry{k.name + "PolicySizeQuota", k.maxInline}, xmlEntry{"AttachedPoliciesPer" + k.name + "Quota", maxAttached})
	}
	return fields{element("SummaryMap", struct {
		Entry []xmlEntry `xml:"entry"`
	}{summary})}, nil
}

// getAccountAuthorizationDetails pages through all entities and policies, and
// returns those on the page, each in its list.
func getAccountAuthorizationDetails(c *call) (any, error) {
	types := []string{"User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"}
	filter := c.List("Filter.member", "")
	for _, wanted := range filter {
		if !slices.Contains(types, wanted) {
			return nil, invalid("filter", "failed to satisfy constraint: Member must satisfy enum value set: ["+strings.Join(types, ", ")+"]")
		}
	}
	wants := func(name string) bool { return len(filter) == 0 || slices.Contains(filter, name) }

	type detail struct {
		list string
		tell func() any // runs only for entries on the page
	}
	var all []detail
	for kind, e := range c.state.entities() {
		if wants(kind) {
			all = append(all, detail{kind + "DetailList", func() any { return c.entityDetail(kind, e) }})
		}
	}
	used := c.state.usage()
	for _, arn := range slices.Sorted(maps.Keys(c.state.Policies)) {
		if wants("LocalManagedPolicy") {
			all = append(all, detail{"Policies", func() any { return c.state.Policies[arn].detail(used[arn]) }})
		}
	}
	for _, arn := range slices.Sorted(maps.Keys(used)) {
		if m, ok := c.state.awsPolicies.Get(arn); ok && wants("AWSManagedPolicy") {
			all = append(all, detail{"Policies", func() any { return managedByAWS(m).detail(used[arn]) }})
		}
	}
	onPage, more, err := page(c, all)
	if err != nil {
		return nil, err
	}
	var lists fields
	for _, name := range []string{"UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"} {
		var list members[any]
		for _, detail := range onPage {
			if detail.list == name {
				list.Member = append(list.Member, detail.tell())
			}
		}
		lists = append(lists, element(name, list))
	}
	return append(lists, more...), nil
}

// entityDetail returns all details of a user, group or role.
func (c *call) entityDetail(kind string, e *entity) fields {
	var inline, attached []fields
	for _, policy := range e.Inline {
		inline = append(inline, fields{element("PolicyName", policy.Name), element("PolicyDocument", percentEncoded(policy.Document.Text))})
	}
	for _, arn := range e.Attached {
		attached = append(attached, fields{element("PolicyName", arn[strings.LastIndex(arn, "/")+1:]), element("PolicyArn", arn)})
	}
	detail := fields{
		element("Path", e.Path), element(kind+"Name", e.Name), element(kind+"Id", e.ID), element("Arn", e.ARN), element("CreateDate", timestamp(e.Created)),
		element(kind+"PolicyList", membersOf(inline)), element("AttachedManagedPolicies", membersOf(attached)),
	}
	switch kind {
	case "User":
		var groups []string
		for _, g := range c.state.groupsOf(c.Tx, e.ID) {
			groups = append(groups, g.Name)
		}
		detail = append(detail, element("GroupList", membersOf(groups)))
	case "Role":
		r := c.state.Roles[lower(e.Name)]
		var profiles []xmlInstanceProfile
		for _, profile := range c.state.profilesOf(r) {
			profiles = append(profiles, profile.xml(false))
		}
		detail = append(detail,
			element("AssumeRolePolicyDocument", percentEncoded(r.Trust.text)), element("RoleLastUsed", r.lastUsedXML()),
			element("InstanceProfileList", membersOf(profiles)))
	}
	if boundary := e.boundaryXML(); boundary != nil {
		detail = append(detail, element("PermissionsBoundary", boundary))
	}
	if kind != "Group" {
		detail = append(detail, element("Tags", membersOf(e.Tags)))
	}
	return detail
}

type xmlPolicyDetail struct {
	xmlPolicy
	PolicyVersionList members[xmlPolicyVersion]
}

// detail returns all details of a managed policy except its tags.
func (m *managedPolicy) detail(used usage) xmlPolicyDetail {
	x := xmlPolicyDetail{xmlPolicy: m.xml(used)}
	x.Description = m.Description
	for _, v := range m.Versions {
		version := m.versionXML(v)
		version.Document = percentEncoded(v.Document.Text)
		x.PolicyVersionList.Member = append(x.PolicyVersionList.Member, version)
	}
	return x
}
