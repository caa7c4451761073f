// Package convert writes mappings in the formats of other programs: commands that create
// EKS access entries, and IAMIdentityMappings.
package convert

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// The formats.
const (
	AccessEntries = "access-entries" // commands of the AWS CLI
	CRD           = "crd"            // manifests of IAMIdentityMapping
)

// Formats returns the formats.
func Formats() []string { return []string{AccessEntries, CRD} }

// A conversion collects what is written, and what has no equal.
type conversion struct {
	strings.Builder
	lost []string
}

// lose names what has no equal, in a comment and for the caller.
func (c *conversion) lose(format string, args ...any) {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, fmt.Sprintf(format, args...))
	c.lost = append(c.lost, text)
	fmt.Fprintf(c, "# not converted: %s\n", text)
}

// Convert writes the mappings that apply. Lost names what has no equal in the format.
func Convert(table *mapper.Table, format, clusterName string) (text string, lost []string) {
	var c conversion
	names := map[string]int{}
	for entry, applies := range table.Entries() {
		switch {
		case !applies:
			fmt.Fprintf(&c, "# %s line %d has no effect\n", entry.Rule.Section, entry.Rule.Line)
		case entry.SSO != nil:
			c.lose("permission set %s of account %s: the name of its role ends in digits that aws-auth does not have; list it with: aws iam list-roles --path-prefix /aws-reserved/sso.amazonaws.com/", entry.SSO.PermissionSet, entry.SSO.AccountID)
		case format == AccessEntries:
			c.accessEntry(entry, clusterName)
		default:
			c.object(entry, names)
		}
	}
	for account, applies := range table.Accounts() {
		if applies {
			c.lose("account %s of mapAccounts: map its users and roles one by one", account.ID)
		}
	}
	return c.String(), c.lost
}

func groupsOf(entry *mapper.Entry) []string {
	groups := make([]string, len(entry.Groups))
	for i, group := range entry.Groups {
		groups[i] = group.String()
	}
	return slices.Compact(groups)
}
