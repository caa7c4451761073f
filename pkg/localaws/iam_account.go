package localaws

import "regexp"

// accountOperations are about the account as a whole.
func accountOperations() map[string]operation {
	all := func(*parameters) string { return "*" }
	return map[string]operation{
		"CreateAccountAlias": write(all, createAccountAlias, "AccountAlias"),
		"DeleteAccountAlias": write(all, deleteAccountAlias, "AccountAlias"),
		"ListAccountAliases": read(all, listAccountAliases, "MaxItems", "Marker"),
		"GetAccountSummary":  read(all, getAccountSummary),
	}
}

var aliasPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// createAccountAlias replaces the alias that there is: an account has one.
func createAccountAlias(c *call, p *parameters) (any, *Error) {
	alias := p.get("AccountAlias")
	switch {
	case len(alias) < 3 || len(alias) > 63 || !aliasPattern.MatchString(alias):
		return nil, invalid("accountAlias", "failed to satisfy constraint: Member must have 3 to 63 lowercase letters, digits and single dashes, and neither begin nor end with a dash")
	case accountIDPattern.MatchString(alias):
		return nil, invalidInput("The account alias " + alias + " looks like an account ID.")
	case alias == c.Alias:
		return nil, alreadyExists("The account alias " + alias + " already exists.")
	}
	c.Alias = alias
	return nil, nil
}

func deleteAccountAlias(c *call, p *parameters) (any, *Error) {
	alias := p.get("AccountAlias")
	if alias == "" || alias != c.Alias {
		return nil, noSuchEntity("The account alias " + alias + " cannot be found.")
	}
	c.Alias = ""
	return nil, nil
}

func listAccountAliases(c *call, p *parameters) (any, *Error) {
	var all []string
	if c.Alias != "" {
		all = append(all, c.Alias)
	}
	return paged(p, "AccountAliases", all)
}

// An xmlEntry is of a map.
type xmlEntry struct {
	Key   string `xml:"key"`
	Value int    `xml:"value"`
}

func getAccountSummary(c *call, _ *parameters) (any, *Error) {
	versions, inUse := 0, 0
	for _, policy := range c.Policies {
		versions += len(policy.Versions)
	}
	for _, device := range c.MFADevices {
		if device.user != nil {
			inUse++
		}
	}
	// The root user, whom the keys that begin with Account are about, has nothing.
	summary := []xmlEntry{
		{"Users", len(c.Users)}, {"Groups", len(c.Groups)}, {"Roles", len(c.Roles)}, {"RolesQuota", maxRoles},
		{"Policies", len(c.Policies)}, {"PolicyVersionsInUse", versions},
		{"InstanceProfiles", len(c.Profiles)}, {"InstanceProfilesQuota", maxProfiles}, {"Providers", len(c.Providers)},
		{"MFADevices", len(c.MFADevices)}, {"MFADevicesInUse", inUse}, {"AssumeRolePolicySizeQuota", maxTrust},
		{"AccountMFAEnabled", 0}, {"AccountAccessKeysPresent", 0}, {"AccountPasswordPresent", 0}, {"AccountSigningCertificatesPresent", 0},
	}
	for _, k := range kinds() {
		summary = append(summary, xmlEntry{k.name + "PolicySizeQuota", k.maxInline})
	}
	return fields{{"SummaryMap", struct {
		Entry []xmlEntry `xml:"entry"`
	}{summary}}}, nil
}
