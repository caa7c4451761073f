package sts

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// roleOperations issue the credentials of roles. CloudTrail counts that as read-only;
// OpenSession has them saved.
func roleOperations() []api.Operation {
	shared := []string{"RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "PolicyArns.member.N.arn"}
	issuers := &issuers{}
	return []api.Operation{
		api.Define(api.Definition[assumeRoleInput]{
			Facts: api.Facts{Name: "AssumeRole", ReadOnly: true, Accepts: append(slices.Clone(shared),
				"ExternalId", "SourceIdentity", "SerialNumber", "TokenCode", "TransitiveTagKeys.member.N", "Tags.member.N.Key", "Tags.member.N.Value")},
			Decode: decodeAssumeRole, Run: assumeRole,
		}),
		api.Define(api.Definition[assumption]{
			Facts: api.Facts{Name: "AssumeRoleWithWebIdentity", ReadOnly: true, Unsigned: true, Accepts: append(slices.Clone(shared),
				"WebIdentityToken")},
			Identify: issuers.identify, Decode: decodeAssumeRoleWithWebIdentity, Run: assumeRoleWithWebIdentity,
		}),
		api.Define(api.Definition[struct{}]{
			Facts: api.Facts{Name: "AssumeRoleWithSAML", ReadOnly: true, Unsigned: true, Accepts: []string{
				"RoleArn", "PrincipalArn", "SAMLAssertion", "DurationSeconds", "Policy", "PolicyArns.member.N.arn",
			}},
			Decode: func(api.Input) (none struct{}, err error) {
				return none, api.Refuse(http.StatusBadRequest, "InvalidIdentityToken", "localaws verifies no SAML assertions. Use AssumeRoleWithWebIdentity or AssumeRole.")
			},
		}),
	}
}

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

// An assumption is a request to assume a role, as all operations have it.
type assumption struct {
	roleARN  string
	session  account.Session
	duration time.Duration
	limits   limits
}

type assumeRoleInput struct {
	assumption
	externalID string
	mfa        proof
}

var roleARNPattern = pattern.New(`^arn:[\w-]+:iam::\d{12}:.`)

// assumption reads the parameters that all operations share.
func (f *form) assumption() assumption {
	a := assumption{roleARN: f.required("RoleArn", 20, 2048, pattern.Pattern{})}
	a.session.Name = f.required("RoleSessionName", 2, 64, sessionNamePattern)
	a.duration = f.duration(43200, time.Hour)
	a.limits = f.limits()
	return a
}

// check returns what is wrong with an assumption beyond the constraints of a form.
func (a *assumption) check() error {
	if !roleARNPattern.MatchString(a.roleARN) {
		return validationError(a.roleARN + " is invalid")
	}
	return a.limits.parse(&a.session)
}

func decodeAssumeRole(input api.Input) (in assumeRoleInput, err error) {
	f := form{Form: input.Form}
	in.assumption = f.assumption()
	in.session.SourceIdentity = f.optional("SourceIdentity", 2, 64, sessionNamePattern)
	in.session.Tags, in.session.Transitive = f.tags(), f.List("TransitiveTagKeys.member", "")
	in.externalID = f.optional("ExternalId", 2, 1224, externalIDPattern)
	in.mfa = f.proof()
	if err := f.err(); err != nil {
		return in, err
	}
	if err := checkKeys(in.session.Tags); err != nil {
		return in, err
	}
	err = in.check()
	return in, err // not in one statement, whose order is not specified
}

func assumeRole(tx *account.Tx, in assumeRoleInput) (any, error) {
	t, err := in.take(tx, "sts:AssumeRole")
	if err != nil {
		return nil, err
	}
	if in.externalID != "" {
		t.keys["sts:externalid"] = []string{in.externalID}
	}
	mfa, err := in.mfa.check(tx)
	if err != nil {
		return nil, err
	}
	if mfa {
		t.keys["aws:multifactorauthpresent"], t.keys["aws:multifactorauthage"] = []string{"true"}, []string{"0"}
	}
	who := tx.Caller.Principal
	if t.exists {
		who = t.role.Trustee(tx.Caller)
	}
	if action, verdict := t.allowed(tx, who, tx.Caller.Policies); verdict.Decision != policy.Allow {
		return nil, tx.Denied(action, in.roleARN, verdict)
	}
	return t.open(tx)
}

// A taking is an assumption in a transaction.
type taking struct {
	assumption
	in     *account.Tx // in the role's account
	action string      // the policies that must allow it
	role   account.Role
	exists bool // whether the role does
	packed int  // percent
	keys   map[string][]string
}

// take finds the role, and completes the session with what it inherits.
func (a assumption) take(tx *account.Tx, action string) (*taking, error) {
	t := &taking{assumption: a, in: tx, action: action, keys: tagKeys(a.session.Tags)}
	if in, ok := tx.In(account.OfARN(a.roleARN)); ok {
		t.in = in
	}
	var err error
	if t.packed, err = a.limits.packed(t.in, a.session.Tags); err != nil {
		return nil, err
	}
	if err := checkTransitive(&t.session); err != nil {
		return nil, err
	}
	if tx.Caller != nil && tx.Caller.IsRole() {
		if err := inherit(&t.session, tx.Caller.Session); err != nil {
			return nil, err
		}
	}
	t.keys["sts:rolesessionname"], t.keys["aws:resourceaccount"] = []string{t.session.Name}, []string{t.in.Account.ID}
	if t.session.SourceIdentity != "" {
		t.keys["sts:sourceidentity"] = []string{t.session.SourceIdentity}
	}
	if len(t.session.Transitive) > 0 {
		t.keys["sts:transitivetagkeys"] = t.session.Transitive
	}
	if t.role, t.exists = t.in.Identities().Role(a.roleARN); t.exists {
		t.session.RoleID = t.role.ID
		for _, tag := range t.role.Tags {
			t.keys["aws:resourcetag/"+strings.ToLower(tag.Key)] = []string{tag.Value}
			t.keys["iam:resourcetag/"+strings.ToLower(tag.Key)] = []string{tag.Value}
		}
	}
	return t, nil
}

// checkTransitive checks that the request contains the transitive tags.
func checkTransitive(s *account.Session) error {
	for _, key := range s.Transitive {
		if findTag(s.Tags, key) < 0 {
			return invalidParameter("The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}

// inherit copies what passes along a chain of sessions: the source identity and the
// transitive tags.
func inherit(s, from *account.Session) error {
	if from.SourceIdentity != "" && s.SourceIdentity != "" && s.SourceIdentity != from.SourceIdentity {
		return denied("The source identity is already set for this assume role session")
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

// allowed checks that these policies allow to assume the role, with the tags and the
// source identity if any. It returns the action that the verdict is about.
func (t *taking) allowed(tx *account.Tx, who policy.Principal, own policy.Policies) (action string, verdict policy.Verdict) {
	if !t.exists { // like AWS, do not reveal which roles exist
		return t.action, policy.Verdict{Decision: policy.ImplicitDeny, By: policy.TrustPolicy}
	}
	actions := []string{t.action}
	if len(t.session.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if t.session.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	own.Resource = t.role.Trust
	for _, action = range actions {
		request := policy.Request{Action: action, Resource: t.role.ARN, Principal: who, Account: t.in.Account.ID, Context: tx.ConditionKeys(t.keys)}
		if verdict = policy.Authorize(request, own); verdict.Decision != policy.Allow {
			break
		}
	}
	return action, verdict
}

// open opens the session of the role, after allowed.
func (t *taking) open(tx *account.Tx) (*assumeRoleResult, error) {
	if t.duration > t.role.MaxSession {
		return nil, validationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if tx.Caller != nil && tx.Caller.IsRole() && t.duration > time.Hour {
		return nil, validationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	who := t.in.Identities().OpenSession(t.in, &t.session, t.duration)
	return &assumeRoleResult{
		Credentials: credentialsOf(&t.session), AssumedRoleUser: assumedRoleUser{who.UserID, who.ARN},
		PackedPolicySize: t.packed, SourceIdentity: t.session.SourceIdentity,
	}, nil
}
