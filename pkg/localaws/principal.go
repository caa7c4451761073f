package localaws

import (
	"cmp"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A principal is a caller with what IAM keeps of it.
type principal struct {
	*account.Caller
	user    *user    // nil for a session of a role
	role    *role    // nil for all others
	session *session // nil for a user's long-term key
}

// principalOf returns the caller of a transaction; nil if it is not known.
func (a *AWS) principalOf(tx *account.Tx) *principal {
	if tx.Caller == nil {
		return nil
	}
	if key, ok := a.state.keys[tx.AccessKeyID]; ok {
		return &principal{Caller: tx.Caller, user: key.user}
	}
	s := a.state.Sessions[tx.AccessKeyID]
	return &principal{Caller: tx.Caller, user: s.user, role: s.role, session: s}
}

func (a *AWS) userCaller(u *user) *account.Caller {
	return &account.Caller{
		ARN: u.ARN, UserID: u.ID, Owner: u.owner(), Policies: a.policiesOf(&u.entity),
		Principal: policy.Principal{AccountID: a.accountID, ARNs: []string{u.ARN}},
	}
}

// sessionCaller returns the owner of a session's credentials.
func (a *AWS) sessionCaller(s *session) *account.Caller {
	var c *account.Caller
	switch {
	case s.role != nil:
		// Without the path of the role, as STS drops it.
		arn := a.arn("sts", "", "assumed-role/"+s.role.Name+"/"+s.Name)
		c = &account.Caller{
			ARN: arn, UserID: s.role.ID + ":" + s.Name, Owner: s.role.owner(), Policies: a.policiesOf(&s.role.entity),
			Principal: policy.Principal{AccountID: a.accountID, ARNs: []string{arn, s.role.ARN}},
		}
	case s.Federated:
		c = a.userCaller(s.user)
		c.ARN, c.UserID = a.arn("sts", "", "federated-user/"+s.Name), a.accountID+":"+s.Name
		c.Principal.ARNs = []string{c.ARN}
	default:
		c = a.userCaller(s.user)
	}
	c.Session = &s.Session
	c.Policies.Session = a.sessionPolicies(s)
	return c
}

// policiesOf returns the policies of an entity and of a user's groups, and its
// boundary.
func (a *AWS) policiesOf(e *entity) policy.Policies {
	var all policy.Policies
	add := func(e *entity) {
		for _, inline := range e.Inline {
			all.Identity = append(all.Identity, inline.Document.Document)
		}
		for _, arn := range e.Attached {
			if document := a.policyDocument(arn); document != nil {
				all.Identity = append(all.Identity, document)
			}
		}
	}
	add(e)
	for _, g := range a.groupsOf(e.ID) {
		add(&g.entity)
	}
	if e.Boundary != "" {
		all.Boundary = cmp.Or(a.policyDocument(e.Boundary), &policy.Document{}) // a deleted boundary allows nothing
	}
	return all
}

// sessionPolicies returns the policies that limit a session. Nil means no limit
// beyond its user or role; an empty list allows nothing.
func (a *AWS) sessionPolicies(s *session) []*policy.Document {
	if s.Policy.Document == nil && len(s.PolicyARNs) == 0 && !s.Federated {
		return nil
	}
	documents := []*policy.Document{}
	if s.Policy.Document != nil {
		documents = append(documents, s.Policy.Document)
	}
	for _, arn := range s.PolicyARNs {
		if document := a.policyDocument(arn); document != nil { // it may have been deleted since
			documents = append(documents, document)
		}
	}
	return documents
}
