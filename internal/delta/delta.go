// Package delta prints who gains, loses or changes access.
package delta

import (
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Text returns the changes for people, one a line.
func Text(delta mapper.Delta) string {
	if len(delta.Changes) == 0 {
		return "nobody gains, loses or changes access\n"
	}
	var b strings.Builder
	for _, change := range delta.Changes {
		fmt.Fprintln(&b, cli.Printable(change.String()))
	}
	return b.String()
}

// maxAlarms is the number of principals that one alarm names.
const maxAlarms = 5

// Alarms returns what in a change can lock people or nodes out.
func Alarms(delta mapper.Delta) (alarms []string) {
	for _, group := range []string{mapper.MastersGroup, mapper.NodesGroup} {
		var who []string
		for _, change := range delta.Leaving(group) {
			who = append(who, change.For.String())
		}
		if more := len(who) - maxAlarms; more > 0 {
			who = append(who[:maxAlarms], fmt.Sprintf("%d more", more))
		}
		if len(who) > 0 {
			alarms = append(alarms, strings.Join(who, ", ")+" leaves "+group)
		}
	}
	if delta.LosesLastMaster {
		alarms = append(alarms, "nobody is left in "+mapper.MastersGroup)
	}
	return alarms
}

// The changes as programs read them.
type (
	// Result is all that changes.
	Result struct {
		Changes         []Change `json:"changes"`
		Alarms          []string `json:"alarms"`
		LosesLastMaster bool     `json:"losesLastMaster"`
	}
	// Change is what changes for a principal.
	Change struct {
		Kind      mapper.ChangeKind `json:"kind"`
		Principal string            `json:"principal"`
		ARN       string            `json:"arn,omitempty"`
		UserID    string            `json:"userID,omitempty"`
		SSO       *SSO              `json:"sso,omitempty"`
		Account   string            `json:"account,omitempty"`
		Old       *Grant            `json:"old,omitempty"`
		New       *Grant            `json:"new,omitempty"`
	}
	// SSO is a permission set.
	SSO struct {
		PermissionSet string `json:"permissionSetName"`
		AccountID     string `json:"accountID"`
		Partition     string `json:"partition,omitempty"`
	}
	// Grant is what a mapping grants.
	Grant struct {
		Username  string   `json:"username,omitempty"`
		Groups    []string `json:"groups"`
		Section   string   `json:"section"`
		Line      int      `json:"line,omitempty"`
		ByAccount bool     `json:"byAccount,omitempty"`
	}
)

// New returns the changes for programs.
func New(delta mapper.Delta) Result {
	result := Result{Changes: []Change{}, Alarms: append([]string{}, Alarms(delta)...), LosesLastMaster: delta.LosesLastMaster}
	for _, change := range delta.Changes {
		c := Change{
			Kind: change.Kind(), Principal: change.For.String(), ARN: change.For.ARN, UserID: change.For.UserID, Account: change.For.Account,
			Old: grantOf(change.Old), New: grantOf(change.New),
		}
		if sso := change.For.SSO; sso != nil {
			c.SSO = &SSO{sso.PermissionSet, sso.AccountID, sso.Partition}
		}
		result.Changes = append(result.Changes, c)
	}
	return result
}

func grantOf(grant *mapper.Grant) *Grant {
	if grant == nil {
		return nil
	}
	return &Grant{grant.Username, append([]string{}, grant.Groups...), grant.Rule.Section, grant.Rule.Line, grant.ByAccount}
}
