package localaws

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
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
	s := &session{Session: account.Session{Transitive: p.list("TransitiveTagKeys.member", "")}}
	var err *Error
	if s.Tags, err = p.tags(); err != nil {
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
	who := c.caller.Principal
	if a.role != nil {
		who = a.role.view().Trustee(c.caller.Caller)
	}
	if action, verdict := a.allowed(c, who, c.caller.Policies); verdict.Decision != policy.Allow {
		return nil, c.denied(action, p.get("RoleArn"), verdict)
	}
	return a.open(c)
}

// An assumption is a call to assume a role.
type assumption struct {
	action   string // the policies that must allow it
	role     *role  // nil if the role does not exist
	session  *session
	duration time.Duration
	packed   int                 // percent
	keys     map[string][]string // condition keys
}

// assumption reads the parameters that all calls to assume a role share. The session
// already contains the tags and the source identity that it inherits.
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
	role, ok := a.state.Roles[lower(arn[strings.LastIndex(arn, "/")+1:])]
	return role, ok && role.ARN == arn
}

// tagKeys returns the condition keys of the session tags.
func tagKeys(tags []tag) map[string][]string {
	keys := map[string][]string{}
	for _, tag := range tags {
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], tag.Key)
		keys["aws:requesttag/"+lower(tag.Key)] = []string{tag.Value}
	}
	return keys
}

// checkTransitive checks that the request contains the transitive tags.
func (s *session) checkTransitive() *Error {
	for _, key := range s.Transitive {
		if findTag(s.Tags, key) < 0 {
			return invalidParameter("The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}

// inherit copies what passes along a chain of sessions: the source identity and the
// transitive tags.
func (s *session) inherit(from *session) *Error {
	if from.SourceIdentity != "" && s.SourceIdentity != "" && s.SourceIdentity != from.SourceIdentity {
		return newError(http.StatusForbidden, api.CodeAccessDenied, "The source identity is already set for this assume role session")
	}
	s.SourceIdentity = cmp.Or(from.SourceIdentity, s.SourceIdentity)
	for _, tag := range from.Tags {
		if !slices.ContainsFunc(from.Transitive, func(key string) bool { return strings.EqualFold(key, tag.Key) }) {
			continue
		}
		if findTag(s.Tags, tag.Key) >= 0 {
			return invalidParameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		s.Tags, s.Transitive = append(s.Tags, tag), append(s.Transitive, tag.Key)
	}
	return nil
}

func invalidParameter(message string) *Error {
	return newError(http.StatusBadRequest, "InvalidParameterValue", message)
}

// allowed checks that these policies allow to assume the role, with the tags and the
// source identity if any. It returns the action that the verdict is about.
func (a *assumption) allowed(c *call, who policy.Principal, own policy.Policies) (action string, verdict policy.Verdict) {
	if a.role == nil { // like AWS, do not reveal which roles exist
		return a.action, policy.Verdict{Decision: policy.ImplicitDeny, By: policy.TrustPolicy}
	}
	actions := []string{a.action}
	if len(a.session.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.session.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	own.Resource = a.role.Trust.Document
	for _, action = range actions {
		request := policy.Request{Action: action, Resource: a.role.ARN, Principal: who, Context: c.tx.ConditionKeys(a.keys)}
		if verdict = policy.Authorize(request, own); verdict.Decision != policy.Allow {
			break
		}
	}
	return action, verdict
}

// open opens the session of a role, after allowed.
func (a *assumption) open(c *call) (*assumeRoleResult, *Error) {
	if a.duration > time.Duration(a.role.MaxSession)*time.Second {
		return nil, validationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if c.caller != nil && c.caller.role != nil && a.duration > time.Hour {
		return nil, validationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	c.open(a.session, a.duration)
	who := c.sessionCaller(a.session)
	return &assumeRoleResult{
		Credentials: a.session.credentials(), AssumedRoleUser: assumedRoleUser{who.UserID, who.ARN},
		PackedPolicySize: a.packed, SourceIdentity: a.session.SourceIdentity,
	}, nil
}
