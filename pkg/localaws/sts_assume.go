package localaws

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

type assumedRoleUser struct {
	AssumedRoleID string `xml:"AssumedRoleId" json:"AssumedRoleId"`
	Arn           string
}

type assumeRoleResult struct {
	Credentials      credentials
	AssumedRoleUser  assumedRoleUser
	PackedPolicySize int    `xml:",omitempty" json:",omitempty"`
	SourceIdentity   string `xml:",omitempty" json:",omitempty"`
}

func assumeRole(c *call, p *parameters) (any, *Error) {
	s := &session{Transitive: p.list("TransitiveTagKeys.member", "")}
	var err *Error
	if s.Tags, err = p.sessionTags(); err != nil {
		return nil, err
	}
	if s.SourceIdentity, err = p.optional("SourceIdentity", 2, 64, sessionNamePattern); err != nil {
		return nil, err
	}
	externalID, err := p.optional("ExternalId", 2, 1224, externalIDPattern)
	if err != nil {
		return nil, err
	}
	a, err := p.assumption("sts:AssumeRole", s)
	if err != nil {
		return nil, err
	}
	if externalID != "" {
		a.keys["sts:externalid"] = []string{externalID}
	}
	mfa, err := p.mfa()
	if err != nil {
		return nil, err
	}
	if mfa {
		a.keys["aws:multifactorauthpresent"], a.keys["aws:multifactorauthage"] = []string{"true"}, []string{"0"}
	}
	who := c.caller.principal
	if a.role != nil {
		who = a.role.trustee(c.caller)
	}
	if action, verdict := a.allowed(c, who, c.caller); verdict.Decision != policy.Allow {
		return nil, c.denied(action, p.get("RoleArn"), verdict)
	}
	return a.open(c)
}

// An assumption is that somebody is about to assume a role.
type assumption struct {
	action   string // by which they do it
	role     *role  // nil if there is no such role
	session  *session
	duration time.Duration
	packed   int                 // percent
	keys     map[string][]string // condition keys
}

// assumption reads what all calls to assume a role have in common. The session
// holds what is passed to it already: tags and source identity.
func (p *parameters) assumption(action string, s *session) (*assumption, *Error) {
	a := &assumption{action: action, session: s, keys: tagKeys(s.Tags)}
	arn, err := p.required("RoleArn", 20, 2048, nil)
	if err != nil {
		return nil, err
	}
	if s.Name, err = p.required("RoleSessionName", 2, 64, sessionNamePattern); err != nil {
		return nil, err
	}
	if a.duration, err = p.duration(43200, time.Hour); err != nil {
		return nil, err
	}
	if a.packed, err = p.bound(s, s.Tags); err != nil {
		return nil, err
	}
	if err := s.checkTransitive(); err != nil {
		return nil, err
	}
	if p.caller != nil && p.caller.role != nil {
		if err := s.inherit(p.caller.session); err != nil {
			return nil, err
		}
	}
	a.keys["sts:rolesessionname"] = []string{s.Name}
	if s.SourceIdentity != "" {
		a.keys["sts:sourceidentity"] = []string{s.SourceIdentity}
	}
	if len(s.Transitive) > 0 {
		a.keys["sts:transitivetagkeys"] = s.Transitive
	}
	if found, ok := p.roleByARN(arn); ok {
		a.role, s.role, s.RoleID = found, found, found.ID
		for _, tag := range found.Tags {
			a.keys["aws:resourcetag/"+lower(tag.Key)] = []string{tag.Value}
			a.keys["iam:resourcetag/"+lower(tag.Key)] = []string{tag.Value}
		}
	}
	return a, nil
}

func (a *AWS) roleByARN(arn string) (*role, bool) {
	role, ok := a.Roles[lower(arn[strings.LastIndex(arn, "/")+1:])]
	return role, ok && role.ARN == arn
}

// sessionTags that a call passes.
func (p *parameters) sessionTags() ([]tag, *Error) {
	if len(p.list("Tags.member", ".Key")) > 50 {
		return nil, invalid("tags", "failed to satisfy constraint: Member must have length less than or equal to 50")
	}
	return p.tags()
}

// tagKeys are the condition keys that tell of the tags that are passed.
func tagKeys(tags []tag) map[string][]string {
	keys := map[string][]string{}
	for _, tag := range tags {
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], tag.Key)
		keys["aws:requesttag/"+lower(tag.Key)] = []string{tag.Value}
	}
	return keys
}

func hasTag(tags []tag, key string) bool {
	return slices.ContainsFunc(tags, func(t tag) bool { return strings.EqualFold(t.Key, key) })
}

// checkTransitive makes sure that what is to be transitive is passed.
func (s *session) checkTransitive() *Error {
	for _, key := range s.Transitive {
		if !hasTag(s.Tags, key) {
			return invalidParameter("The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}

// inherit takes over what goes along a chain of sessions: the source identity, and
// the tags that are transitive.
func (s *session) inherit(from *session) *Error {
	if from.SourceIdentity != "" && s.SourceIdentity != "" && s.SourceIdentity != from.SourceIdentity {
		return newError(http.StatusForbidden, codeAccessDenied, "The source identity is already set for this assume role session")
	}
	s.SourceIdentity = cmp.Or(from.SourceIdentity, s.SourceIdentity)
	for _, key := range from.Transitive {
		if hasTag(s.Tags, key) {
			return invalidParameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		s.Transitive = append(s.Transitive, key)
		for _, tag := range from.Tags {
			if strings.EqualFold(tag.Key, key) {
				s.Tags = append(s.Tags, tag)
			}
		}
	}
	return nil
}

func invalidParameter(message string) *Error {
	return newError(http.StatusBadRequest, "InvalidParameterValue", message)
}

// trustPolicy can be blamed for a denial, like the kinds of policy that a caller
// has.
const trustPolicy policy.Kind = "role trust policy"

// allowed asks whether somebody may assume the role as they want to: with tags and
// with a source identity they need permission for these, too. The action is the one
// that the verdict is about. There is nobody whose own policies count if an identity
// provider vouches for who it is.
func (a *assumption) allowed(c *call, who policy.Principal, own *principal) (action string, verdict policy.Verdict) {
	if a.role == nil { // AWS does not say which roles there are, either
		return a.action, policy.Verdict{Decision: policy.ImplicitDeny, By: trustPolicy}
	}
	actions := []string{a.action}
	if len(a.session.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.session.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action = range actions {
		request := policy.Request{Action: action, Resource: a.role.ARN, Principal: who, Context: c.conditionKeys(a.keys)}
		if verdict = a.role.admits(request, own); verdict.Decision != policy.Allow {
			break
		}
	}
	return action, verdict
}

// admits decides by the trust policy and by the principal's own policies, if it has
// any: both must allow the request. The trust policy alone is enough when it names
// the principal itself, not its account; if it names the role whose session the
// principal is, what bounds the session still does.
func (r *role) admits(request policy.Request, own *principal) policy.Verdict {
	if trust := policy.Evaluate(request, r.Trust.Document); trust != policy.Allow || own == nil {
		return policy.Verdict{Decision: trust, By: trustPolicy}
	}
	verdict := policy.Authorize(request, own.policies)
	if verdict.Decision != policy.ImplicitDeny || !r.Trust.AllowsDirectly(request) {
		return verdict
	}
	itself := request
	itself.Principal.ARNs = []string{own.arn}
	if r.Trust.AllowsDirectly(itself) {
		return policy.Verdict{Decision: policy.Allow}
	}
	bounds := own.policies
	bounds.Identity = []*policy.Document{r.Trust.Document}
	return policy.Authorize(request, bounds)
}

// open opens the session that was asked for, of a role that may be assumed.
func (a *assumption) open(c *call) (*assumeRoleResult, *Error) {
	if a.duration > time.Duration(a.role.MaxSession)*time.Second {
		return nil, validationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if c.caller != nil && c.caller.role != nil && a.duration > time.Hour {
		return nil, validationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	c.open(a.session, a.duration)
	who := c.sessionPrincipal(a.session)
	return &assumeRoleResult{
		Credentials: a.session.credentials(), AssumedRoleUser: assumedRoleUser{who.userID, who.arn},
		PackedPolicySize: a.packed, SourceIdentity: a.session.SourceIdentity,
	}, nil
}
