package localaws

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A principal is a caller: a user, or a session of a user or of a role.
type principal struct {
	// arn and userID are what GetCallerIdentity returns.
	arn, userID string
	// principal is the caller as policies name it.
	principal policy.Principal
	policies  policy.Policies
	user      *user    // nil for a session of a role
	role      *role    // nil for all others
	session   *session // nil for a user's long-term key
}

// entity returns the user or role whose permissions the principal has.
func (p *principal) entity() *entity {
	if p.role != nil {
		return &p.role.entity
	}
	return &p.user.entity
}

// tags returns the tags of the user or role, overridden by those of the session.
func (p *principal) tags() []tag {
	if p.session == nil {
		return p.entity().Tags
	}
	return slices.Concat(p.entity().Tags, p.session.Tags)
}

// keys returns the condition keys of the principal.
func (p *principal) keys(now time.Time) map[string][]string {
	keys := map[string][]string{
		"aws:principalaccount": {p.principal.AccountID},
		"aws:principalarn":     {p.entity().ARN},
		"aws:userid":           {p.userID},
	}
	switch {
	case p.role != nil:
		keys["aws:principaltype"] = []string{"AssumedRole"}
	case p.session != nil && p.session.Federated:
		keys["aws:principaltype"] = []string{"FederatedUser"}
		keys["aws:principalarn"] = []string{p.arn}
	default:
		keys["aws:principaltype"] = []string{"User"}
		keys["aws:username"] = []string{p.user.Name}
	}
	for _, tag := range p.tags() {
		keys["aws:principaltag/"+lower(tag.Key)] = []string{tag.Value}
	}
	if p.session != nil { // a long-term key has none of these keys
		maps.Copy(keys, p.session.keys(now))
	}
	return keys
}

func (a *AWS) userPrincipal(u *user) *principal {
	return &principal{
		arn: u.ARN, userID: u.ID, user: u, policies: a.policiesOf(&u.entity),
		principal: policy.Principal{AccountID: a.accountID, ARNs: []string{u.ARN}},
	}
}

// sessionPrincipal returns the principal of a session's credentials.
func (a *AWS) sessionPrincipal(s *session) *principal {
	var p *principal
	switch {
	case s.role != nil:
		// Without the path of the role, as STS drops it.
		arn := a.arn("sts", "", "assumed-role/"+s.role.Name+"/"+s.Name)
		p = &principal{
			arn: arn, userID: s.role.ID + ":" + s.Name, role: s.role, policies: a.policiesOf(&s.role.entity),
			principal: policy.Principal{AccountID: a.accountID, ARNs: []string{arn, s.role.ARN}},
		}
	case s.Federated:
		p = a.userPrincipal(s.user)
		p.arn, p.userID = a.arn("sts", "", "federated-user/"+s.Name), a.accountID+":"+s.Name
		p.principal.ARNs = []string{p.arn}
	default:
		p = a.userPrincipal(s.user)
	}
	p.session = s
	p.policies.Session = a.sessionPolicies(s)
	return p
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
