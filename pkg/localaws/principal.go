package localaws

import (
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A principal is who calls: a user, or a session of a role.
type principal struct {
	// arn and userID are what GetCallerIdentity answers.
	arn, userID string
	// principal is how policies may name it.
	principal policy.Principal
	user      *user // nil for a session
	session   *session
}

func (a *AWS) userPrincipal(u *user) *principal {
	return &principal{
		arn: u.arn, userID: u.id, user: u,
		principal: policy.Principal{AccountID: a.accountID, ARNs: []string{u.arn}},
	}
}

// sessionPrincipal is arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION: without the
// path of the role, which STS drops.
func (a *AWS) sessionPrincipal(s *session) *principal {
	arn := a.arn("sts", "", "assumed-role/"+s.role.name+"/"+s.name)
	return &principal{
		arn: arn, userID: s.role.id + ":" + s.name, session: s,
		principal: policy.Principal{AccountID: a.accountID, ARNs: []string{arn, s.role.arn}},
	}
}

// documents are the policies that say what the principal may do.
func (p *principal) documents() []*policy.Document {
	if p.user != nil {
		return p.user.policies.documents()
	}
	return p.session.role.policies.documents()
}

// roleOrSelf is what the condition key aws:PrincipalArn holds.
func (p *principal) roleOrSelf() string {
	if p.session != nil {
		return p.session.role.arn
	}
	return p.arn
}
