package mapedit

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/internal/delta"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// Mapping is a mapping as programs read it.
type Mapping struct {
	ARN       string     `json:"arn,omitempty"`
	UserID    string     `json:"userID,omitempty"`
	SSO       *delta.SSO `json:"sso,omitempty"`
	AccountID string     `json:"accountID,omitempty"`
	Username  string     `json:"username,omitempty"`
	Groups    []string   `json:"groups"`
	Section   string     `json:"section"`
	Line      int        `json:"line"`
	// Applies is false if the entry has no effect, such as a duplicate.
	Applies bool `json:"applies"`
}

// Principal returns the principal as the argument of map get and map remove.
func (m Mapping) Principal() string {
	switch {
	case m.SSO != nil:
		text := "permissionSetName=" + m.SSO.PermissionSet + ",accountID=" + m.SSO.AccountID
		if m.SSO.Partition != "" && m.SSO.Partition != "aws" {
			text += ",partition=" + m.SSO.Partition
		}
		return text
	case m.AccountID != "":
		return m.AccountID
	}
	return cmp.Or(m.ARN, m.UserID)
}

// Is reports whether a mapping is for a principal.
func (m Mapping) Is(p edit.Principal) bool {
	other := Mapping{ARN: p.ARN, AccountID: p.Account}
	if p.SSO != nil {
		other.SSO = ssoOf(p.SSO)
	}
	return strings.EqualFold(m.Principal(), other.Principal())
}

// MappingsOf returns the mappings that were read, by section. An entry that matches nobody
// for a mistake, such as the ARN of a session, is not one.
func MappingsOf(result *awsauth.Result) []Mapping {
	mappings := []Mapping{}
	bySection := map[string][]Mapping{}
	for entry, applies := range result.Table.Entries() {
		if entry.Inert != "" {
			continue
		}
		m := Mapping{ARN: entry.ARN, UserID: entry.UserID, Username: entry.Username.String(), Groups: texts(entry.Groups), Section: entry.Rule.Section, Line: entry.Rule.Line, Applies: applies}
		if entry.SSO != nil {
			m.SSO = ssoOf(entry.SSO)
		}
		bySection[m.Section] = append(bySection[m.Section], m)
	}
	for account, applies := range result.Table.Accounts() {
		m := Mapping{AccountID: account.ID, Groups: []string{}, Section: account.Rule.Section, Line: account.Rule.Line, Applies: applies}
		bySection[m.Section] = append(bySection[m.Section], m)
	}
	for _, section := range awsauth.Sections() {
		mappings = append(mappings, bySection[section]...)
		delete(bySection, section)
	}
	for _, object := range slices.Sorted(maps.Keys(bySection)) {
		mappings = append(mappings, bySection[object]...)
	}
	return mappings
}

func texts(templates []mapper.Template) []string {
	list := make([]string, len(templates))
	for i, template := range templates {
		list[i] = template.String()
	}
	return list
}

func ssoOf(sso *mapper.SSO) *delta.SSO {
	return &delta.SSO{PermissionSet: sso.PermissionSet, AccountID: sso.AccountID, Partition: sso.Partition}
}
