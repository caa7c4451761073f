package organizations

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// state is the service's section. Only the first account uses it.
type state struct {
	Organization *organization `json:"organization,omitempty"`
}

// An organization is a tree of units, from its root to the accounts.
type organization struct {
	ID      string    `json:"id"`
	Root    string    `json:"root"` // the root's ID
	Created time.Time `json:"created"`
	// Enabled reports that service control policies are.
	Enabled bool             `json:"enabled"`
	Units   map[string]*unit `json:"units"` // by ID
	// Places are the parents of accounts, by the account's ID. Others are in the root.
	Places   map[string]string         `json:"places"`
	Policies map[string]*controlPolicy `json:"policies"` // by ID, without those of AWS
	// Attached holds the IDs of policies by the ID of what they are attached to. What is
	// not in it has fullAccess alone.
	Attached map[string][]string `json:"attached"`
}

// A unit is an organizational unit.
type unit struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Parent string `json:"parent"`
}

// A controlPolicy is a service control policy.
type controlPolicy struct {
	ID          string           `json:"id"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Content     account.Document `json:"content"`
}

// fullAccess is the ID of AWS's policy that allows everything.
const fullAccess = "p-FullAWSAccess"

// managed returns AWS's policy.
var managed = sync.OnceValue(func() *controlPolicy {
	p := &controlPolicy{ID: fullAccess, Name: "FullAWSAccess", Description: "Allows access to every operation"}
	// It parses, as the tests show.
	_ = p.Content.UnmarshalText([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`))
	return p
})

// Check validates a state that was read: that everything is where it says, so that
// every path leads to the root.
func (s *state) Check() error {
	o := s.Organization
	if o == nil {
		return nil
	}
	if o.Places == nil || o.Attached == nil {
		return fmt.Errorf("organization %s: expected objects for places and attached, not null", o.ID)
	}
	if err := account.CheckAll("organizational unit", o.Units, func(u *unit) (string, error) { return u.ID, o.checkPlace(u.Parent) }); err != nil {
		return err
	}
	if err := account.CheckAll("service control policy", o.Policies, func(p *controlPolicy) (string, error) {
		if p.Content.Document == nil {
			return p.ID, fmt.Errorf("expected content")
		}
		return p.ID, nil
	}); err != nil {
		return err
	}
	for id, parent := range o.Places {
		if err := o.checkPlace(parent); err != nil {
			return fmt.Errorf("account %s: %w", id, err)
		}
	}
	for target, ids := range o.Attached {
		for _, id := range ids {
			if o.policy(id) == nil {
				return fmt.Errorf("policy %q, attached to %s, does not exist", id, target)
			}
		}
	}
	return nil
}

// checkPlace checks that a root or a unit exists, and that its parents lead to the
// root.
func (o *organization) checkPlace(id string) error {
	for range maxDepth + 1 {
		if id == o.Root {
			return nil
		}
		u, ok := o.Units[id]
		if !ok || u == nil {
			return fmt.Errorf("parent %q does not exist", id)
		}
		id = u.Parent
	}
	return fmt.Errorf("parent %q is more than %d levels below the root, or below itself", id, maxDepth)
}

// policy returns the policy with an ID; nil if there is none.
func (o *organization) policy(id string) *controlPolicy {
	if id == fullAccess {
		return managed()
	}
	return o.Policies[id]
}

// attached returns the IDs of the policies of a root, a unit or an account.
func (o *organization) attached(target string) []string {
	if ids, ok := o.Attached[target]; ok {
		return ids
	}
	if !o.Enabled {
		return nil
	}
	return []string{fullAccess}
}

// parent returns the ID of the root or the unit that a unit or an account is in.
func (o *organization) parent(id string) string {
	if u, ok := o.Units[id]; ok {
		return u.Parent
	}
	if place, ok := o.Places[id]; ok {
		return place
	}
	return o.Root
}

// path returns the IDs from the root to a root, a unit or an account.
func (o *organization) path(id string) []string {
	path := []string{id}
	for id != o.Root {
		id = o.parent(id)
		path = append(path, id)
	}
	slices.Reverse(path)
	return path
}

// Limits returns the service control policies of a member, a list a level; nil means
// no limit.
func (s *state) Limits(accountID string) [][]*policy.Document {
	o := s.Organization
	if o == nil || !o.Enabled {
		return nil
	}
	var levels [][]*policy.Document
	for _, id := range o.path(accountID) {
		var level []*policy.Document
		for _, attached := range o.attached(id) {
			level = append(level, o.policy(attached).Content.Document)
		}
		levels = append(levels, level)
	}
	return levels
}

// Member returns the ID of the organization, and the path of an account in it, as in
// the condition key aws:PrincipalOrgPaths. Both are empty without an organization.
func (s *state) Member(accountID string) (organization, path string) {
	o := s.Organization
	if o == nil {
		return "", ""
	}
	units := o.path(o.parent(accountID))
	return o.ID, o.ID + "/" + strings.Join(units, "/") + "/"
}

// arn returns the ARN of what has an ID. The account that manages the organization
// owns all but AWS's policy.
func (o *organization) arn(tx *account.Tx, id string) string {
	owner, kind, rest := manager(tx), "account", id
	switch {
	case id == o.ID:
		return "arn:" + tx.Account.Partition + ":organizations::" + owner + ":organization/" + id
	case id == fullAccess:
		return "arn:" + tx.Account.Partition + ":organizations::aws:policy/service_control_policy/" + id
	case strings.HasPrefix(id, "r-"):
		kind = "root"
	case strings.HasPrefix(id, "ou-"):
		kind = "ou"
	case strings.HasPrefix(id, "p-"):
		kind, rest = "policy", "service_control_policy/"+id
	}
	return "arn:" + tx.Account.Partition + ":organizations::" + owner + ":" + kind + "/" + o.ID + "/" + rest
}

// units returns the units in a root or a unit, by ID.
func (o *organization) units(parent string) []*unit {
	var all []*unit
	for _, id := range slices.Sorted(maps.Keys(o.Units)) {
		if o.Units[id].Parent == parent {
			all = append(all, o.Units[id])
		}
	}
	return all
}

// accounts returns the IDs of the accounts in a root or a unit.
func (o *organization) accounts(tx *account.Tx, parent string) []string {
	var all []string
	for _, id := range accountIDs(tx) {
		if o.parent(id) == parent {
			all = append(all, id)
		}
	}
	return all
}

// accountIDs returns the IDs of all accounts, sorted.
func accountIDs(tx *account.Tx) []string {
	var all []string
	for _, a := range tx.Accounts() {
		all = append(all, a.ID)
	}
	slices.Sort(all)
	return all
}
