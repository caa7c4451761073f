package iam

import (
	"cmp"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// userOf returns the user that made a call; nil for a session of a role.
func (s *state) userOf(tx *account.Tx) *user {
	if key, ok := s.keys[tx.AccessKeyID]; ok {
		return key.user
	}
	return s.Sessions[tx.AccessKeyID].user
}

func (s *state) userCaller(tx *account.Tx, u *user) *account.Caller {
	return &account.Caller{
		ARN: u.ARN, UserID: u.ID, Owner: u.owner(), Policies: s.policiesOf(tx, &u.entity),
		Principal: policy.Principal{AccountID: tx.Account.ID, ARNs: []string{u.ARN}},
	}
}

// sessionCaller returns the owner of a session's credentials.
func (s *state) sessionCaller(tx *account.Tx, opened *session) *account.Caller {
	var c *account.Caller
	switch {
	case opened.role != nil:
		// Without the path of the role, as STS drops it.
		arn := tx.ARN("sts", "", "assumed-role/"+opened.role.Name+"/"+opened.Name)
		c = &account.Caller{
			ARN: arn, UserID: opened.role.ID + ":" + opened.Name, Owner: opened.role.owner(), Policies: s.policiesOf(tx, &opened.role.entity),
			Principal: policy.Principal{AccountID: tx.Account.ID, ARNs: []string{arn, opened.role.ARN}},
		}
	case opened.Federated:
		c = s.userCaller(tx, opened.user)
		c.ARN, c.UserID = tx.ARN("sts", "", "federated-user/"+opened.Name), tx.Account.ID+":"+opened.Name
		c.Principal.ARNs = []string{c.ARN}
	default:
		c = s.userCaller(tx, opened.user)
	}
	c.Session = &opened.Session
	c.Policies.Session = s.sessionPolicies(opened)
	return c
}

// policiesOf returns the policies of an entity and of a user's groups, and its
// boundary, within those of its account's organization.
func (s *state) policiesOf(tx *account.Tx, e *entity) policy.Policies {
	var all policy.Policies
	add := func(e *entity) {
		for _, inline := range e.Inline {
			all.Identity = append(all.Identity, inline.Document.Document)
		}
		for _, arn := range e.Attached {
			if document := s.Policy(arn); document != nil {
				all.Identity = append(all.Identity, document)
			}
		}
	}
	add(e)
	for _, g := range s.groupsOf(tx, e.ID) {
		add(&g.entity)
	}
	if e.Boundary != "" {
		all.Boundary = cmp.Or(s.Policy(e.Boundary), &policy.Document{}) // a deleted boundary allows nothing
	}
	all.Organization = e.limits(tx)
	return all
}

// limits returns the service control policies that limit an entity. AWS's services act
// with service-linked roles, so none limits these.
func (e *entity) limits(tx *account.Tx) [][]*policy.Document {
	if strings.HasPrefix(e.Path, serviceLinkedPath) {
		return nil
	}
	return tx.Limits()
}

// sessionPolicies returns the policies that limit a session. Nil means no limit
// beyond its user or role; an empty list allows nothing.
func (s *state) sessionPolicies(of *session) []*policy.Document {
	if of.Policy.Document == nil && len(of.PolicyARNs) == 0 && !of.Federated {
		return nil
	}
	documents := []*policy.Document{}
	if of.Policy.Document != nil {
		documents = append(documents, of.Policy.Document)
	}
	for _, arn := range of.PolicyARNs {
		if document := s.Policy(arn); document != nil { // it may have been deleted since
			documents = append(documents, document)
		}
	}
	return documents
}
