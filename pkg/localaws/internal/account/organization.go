package account

import "github.com/kube-iam/authenticator/pkg/localaws/policy"

// Organization is what others ask of Organizations. The section of the first account,
// which manages the organization, implements it.
type Organization interface {
	// Limits returns the service control policies of a member, a list a level; nil
	// means no limit.
	Limits(accountID string) [][]*policy.Document
	// Member returns the ID of the organization and the path of an account in it; both
	// are empty without an organization.
	Member(accountID string) (organization, path string)
}

// Accounts returns all accounts. The first one manages an organization.
func (tx *Tx) Accounts() []*Account { return tx.Account.all.list }

// Limits returns the service control policies of the account. They do not limit the
// account that manages the organization.
func (tx *Tx) Limits() [][]*policy.Document {
	first := tx.Account.all.Default()
	if organization := offered[Organization](first); organization != nil && tx.Account != first {
		return organization.Limits(tx.Account.ID)
	}
	return nil
}

// InOrganization reports whether the account is in an organization.
func (tx *Tx) InOrganization() bool {
	return tx.Account.all.organizationKeys(tx.Account.ID) != nil
}

// organizationKeys returns the condition keys of an account's place in an
// organization.
func (a *Accounts) organizationKeys(accountID string) map[string][]string {
	organization := offered[Organization](a.Default())
	if organization == nil {
		return nil
	}
	id, path := organization.Member(accountID)
	if id == "" {
		return nil
	}
	return map[string][]string{"aws:principalorgid": {id}, "aws:principalorgpaths": {path}}
}
