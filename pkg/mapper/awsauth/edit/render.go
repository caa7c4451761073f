package edit

import (
	"strings"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// entry writes a mapping as an item of a list. Column is the column of the list's
// items. In a list without brackets the text starts with a dash.
func (st style) entry(m Mapping, listIsFlow bool, indent string) string {
	if st.flow {
		text := st.flowEntry(m)
		if !listIsFlow {
			text = "-" + st.pad + text
		}
		return text
	}
	return "-" + st.pad + st.blockEntry(m, indent+" "+st.pad)
}

// blockEntry writes the fields of a mapping, each but the first after an indentation.
func (st style) blockEntry(m Mapping, indent string) string {
	var lines []string
	for _, field := range st.order {
		key := st.key(field)
		switch {
		case field == fieldARN && m.SSO == nil:
			lines = append(lines, key+": "+scalar(m.ARN, st.quotes[field], false))
		case field == fieldSSO && m.SSO != nil:
			lines = append(lines, key+":")
			for _, part := range ssoParts(*m.SSO) {
				lines = append(lines, "  "+part.name+": "+st.ssoValue(part, false))
			}
		case field == fieldUsername && m.Username != "":
			lines = append(lines, key+": "+scalar(m.Username, st.quotes[field], false))
		case field == fieldGroups && len(m.Groups) > 0:
			lines = append(lines, st.blockGroups(key, m.Groups)...)
		}
	}
	return strings.Join(lines, st.ending+indent)
}

// blockGroups writes the field groups of an entry without braces.
func (st style) blockGroups(key string, groups []string) []string {
	if st.groupsInFlow {
		return []string{key + ": " + st.flowGroups(groups)}
	}
	lines := []string{key + ":"}
	for _, group := range groups {
		lines = append(lines, st.groupsIndent+"- "+scalar(group, st.quotes[fieldGroups], false))
	}
	return lines
}

func (st style) flowGroups(groups []string) string {
	written := make([]string, len(groups))
	for i, group := range groups {
		written[i] = scalar(group, st.quotes[fieldGroups], true)
	}
	return "[" + st.groupsOpen + strings.Join(written, ","+st.groupsComma) + st.groupsEnd + "]"
}

func (st style) key(field string) string {
	if st.quotedKeys {
		return doubleQuoted(st.keys[field])
	}
	return scalar(st.keys[field], noQuote, true)
}

// flowEntry writes a mapping in braces.
func (st style) flowEntry(m Mapping) string {
	var fields []string
	for _, field := range st.order {
		key := st.key(field) + st.colon
		switch {
		case field == fieldARN && m.SSO == nil:
			fields = append(fields, key+scalar(m.ARN, st.quotes[field], true))
		case field == fieldSSO && m.SSO != nil:
			var parts []string
			for _, part := range ssoParts(*m.SSO) {
				name := part.name
				if st.quotedKeys {
					name = doubleQuoted(name)
				}
				parts = append(parts, name+st.colon+st.ssoValue(part, true))
			}
			fields = append(fields, key+"{"+strings.Join(parts, ", ")+"}")
		case field == fieldUsername && m.Username != "":
			fields = append(fields, key+scalar(m.Username, st.quotes[field], true))
		case field == fieldGroups && len(m.Groups) > 0:
			fields = append(fields, key+st.flowGroups(m.Groups))
		}
	}
	return "{" + st.open + strings.Join(fields, ","+st.comma) + st.end + "}"
}

type ssoPart struct{ name, value string }

func ssoParts(sso mapper.SSO) []ssoPart {
	parts := []ssoPart{{"permissionSetName", sso.PermissionSet}, {"accountID", sso.AccountID}}
	if sso.Partition != "" {
		parts = append(parts, ssoPart{"partition", sso.Partition})
	}
	return parts
}

func (st style) ssoValue(part ssoPart, inFlow bool) string {
	q := st.quotes[fieldSSO]
	if q == noQuote && part.name == "accountID" {
		q = doubleQuote
	}
	return scalar(part.value, q, inFlow)
}
