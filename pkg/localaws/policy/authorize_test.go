package policy_test

import (
	"slices"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// parse returns a policy with the statements.
func parse(t testing.TB, parser func([]byte) (*policy.Document, error), statements string) *policy.Document {
	t.Helper()
	document, err := parser([]byte(`{"Version":"2012-10-17","Statement":` + statements + `}`))
	if err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	return document
}

// TestAuthorize follows three pages of the IAM User Guide: "Policy evaluation
// logic", "How AWS enforcement code logic evaluates requests to allow or deny
// access", and, for the policy that an error names, "Troubleshoot access denied
// error messages".
func TestAuthorize(t *testing.T) {
	t.Parallel()
	// The effect of each kind of policy on s3:GetObject; empty without a policy.
	const (
		allows = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
		denies = `{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}`
		other  = `{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`
	)
	toBob := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/Bob"},"Action":"s3:*","Resource":"*"}`
	toRole := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/team/Ops"},"Action":"s3:*","Resource":"*"}`
	toSession := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/Ops/alice"},"Action":"s3:*","Resource":"*"}`
	toAccount := `{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:*","Resource":"*"}`
	toAll := `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`
	toNone := `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}`
	const no, never = policy.ImplicitDeny, policy.ExplicitDeny
	for _, test := range []struct {
		who                                   policy.Principal
		identity, boundary, session, resource string
		want                                  policy.Decision
		by                                    policy.Kind
	}{
		{bob(), "", "", "", "", no, policy.IdentityPolicy},
		{bob(), allows, "", "", "", policy.Allow, ""},
		{bob(), other, "", "", "", no, policy.IdentityPolicy},
		{bob(), denies, "", "", "", never, policy.IdentityPolicy},

		// A boundary alone allows nothing.
		{bob(), allows, allows, "", "", policy.Allow, ""},
		{bob(), "", allows, "", "", no, policy.IdentityPolicy},
		{bob(), allows, other, "", "", no, policy.PermissionsBoundary},
		{bob(), allows, denies, "", "", never, policy.PermissionsBoundary},
		{bob(), denies, allows, "", "", never, policy.IdentityPolicy},

		// Nor does a session policy.
		{session(), allows, "", allows, "", policy.Allow, ""},
		{session(), "", "", allows, "", no, policy.IdentityPolicy},
		{session(), allows, "", other, "", no, policy.SessionPolicy},
		{session(), allows, "", denies, "", never, policy.SessionPolicy},
		{session(), allows, allows, allows, "", policy.Allow, ""},
		{session(), allows, other, other, "", no, policy.PermissionsBoundary},

		// The error names a policy that denies, not one that is silent.
		{session(), other, other, denies, "", never, policy.SessionPolicy},
		{session(), other, denies, "", "", never, policy.PermissionsBoundary},

		// A resource policy may allow what identity policies do not.
		{bob(), "", "", "", toBob, policy.Allow, ""},
		{bob(), "", other, "", toBob, policy.Allow, ""},
		{bob(), denies, "", "", toBob, never, policy.IdentityPolicy},
		{bob(), allows, denies, "", toBob, never, policy.PermissionsBoundary},
		{bob(), allows, "", "", toSession, policy.Allow, ""},
		{bob(), "", "", "", toSession, no, policy.IdentityPolicy},
		{bob(), "", "", "", toAccount, no, policy.IdentityPolicy},
		{bob(), allows, "", "", toAccount, policy.Allow, ""},
		{bob(), "", other, "", toAll, policy.Allow, ""},
		{bob(), allows, "", "", toNone, never, policy.ResourcePolicy},

		// A resource policy that names a role allows within the role's bounds; one that
		// names a session ignores them.
		{session(), "", "", "", toRole, policy.Allow, ""},
		{session(), "", other, "", toRole, no, policy.PermissionsBoundary},
		{session(), "", "", other, toRole, no, policy.SessionPolicy},
		{session(), "", allows, allows, toRole, policy.Allow, ""},
		{session(), "", other, other, toSession, policy.Allow, ""},
		{session(), "", "", denies, toSession, never, policy.SessionPolicy},
	} {
		var policies policy.Policies
		if test.identity != "" {
			policies.Identity = []*policy.Document{parse(t, policy.Parse, test.identity)}
		}
		if test.boundary != "" {
			policies.Boundary = parse(t, policy.Parse, test.boundary)
		}
		if test.session != "" {
			policies.Session = []*policy.Document{parse(t, policy.Parse, test.session)}
		}
		if test.resource != "" {
			policies.Resource = parse(t, policy.ParseResource, test.resource)
		}
		request := policy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key", Principal: test.who}
		if got := policy.Authorize(request, policies); got != (policy.Verdict{Decision: test.want, By: test.by}) {
			t.Errorf("identity %s, boundary %s, session %s, resource %s: %s by %q, want %s by %q",
				test.identity, test.boundary, test.session, test.resource, got.Decision, got.By, test.want, test.by)
		}
	}
}

// TestAuthorizeByTrust checks that a role's trust policy must allow, whatever other
// policies allow.
func TestAuthorizeByTrust(t *testing.T) {
	t.Parallel()
	mayAssume := parse(t, policy.Parse, `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`)
	for principal, want := range map[string]struct{ without, with policy.Verdict }{
		`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/Bob"}`: {policy.Verdict{Decision: policy.Allow}, policy.Verdict{Decision: policy.Allow}},
		`"Effect":"Allow","Principal":{"AWS":"123456789012"}`:                       {policy.Verdict{By: policy.IdentityPolicy}, policy.Verdict{Decision: policy.Allow}},
		`"Effect":"Allow","Principal":{"AWS":"555555555555"}`:                       {policy.Verdict{By: policy.TrustPolicy}, policy.Verdict{By: policy.TrustPolicy}},
		`"Effect":"Deny","Principal":{"AWS":"123456789012"}`:                        {policy.Verdict{Decision: policy.ExplicitDeny, By: policy.TrustPolicy}, policy.Verdict{Decision: policy.ExplicitDeny, By: policy.TrustPolicy}},
	} {
		trust := parse(t, policy.ParseTrust, `{`+principal+`,"Action":"sts:AssumeRole"}`)
		request := policy.Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::123456789012:role/R", Principal: bob()}
		if got := policy.Authorize(request, policy.Policies{Resource: trust}); got != want.without {
			t.Errorf("%s, without a permission: %+v, want %+v", principal, got, want.without)
		}
		if got := policy.Authorize(request, policy.Policies{Identity: []*policy.Document{mayAssume}, Resource: trust}); got != want.with {
			t.Errorf("%s, with a permission: %+v, want %+v", principal, got, want.with)
		}
	}
}

func TestSessionPoliciesOfNothing(t *testing.T) {
	t.Parallel()
	all := parse(t, policy.Parse, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	policies := policy.Policies{Identity: []*policy.Document{all}, Session: []*policy.Document{}}
	want := policy.Verdict{By: policy.SessionPolicy}
	if got := policy.Authorize(policy.Request{Action: "s3:GetObject", Resource: "*"}, policies); got != want {
		t.Errorf("an empty list of session policies: %+v, want %+v", got, want)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for kind, want := range map[policy.Kind]string{
		policy.IdentityPolicy:      "an identity-based policy",
		policy.PermissionsBoundary: "a permissions boundary",
		policy.SessionPolicy:       "a session policy",
		policy.ResourcePolicy:      "a resource-based policy",
		policy.TrustPolicy:         "the role trust policy",
	} {
		if got := kind.Article(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for decision, want := range map[policy.Decision]string{policy.Allow: "allowed", policy.ExplicitDeny: "explicitDeny", policy.ImplicitDeny: "implicitDeny"} {
		if got := decision.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestMatching(t *testing.T) {
	t.Parallel()
	document := parse(t, policy.Parse, `[
		{"Effect":"Allow","Action":"s3:*","Resource":"*"},
		{"Sid":"NotThis","Effect":"Allow","Action":"iam:*","Resource":"*"},
		{"Sid":"Never","Effect":"Deny","Action":"s3:Put*","Resource":"*"}]`)
	for action, want := range map[string][]policy.Statement{
		"s3:PutObject":    {{Index: 0}, {Sid: "Never", Deny: true, Index: 2}},
		"iam:GetUser":     {{Sid: "NotThis", Index: 1}},
		"ec2:DescribeAll": nil,
	} {
		if got := document.Matching(policy.Request{Action: action, Resource: "arn:aws:s3:::a"}); !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", action, got, want)
		}
	}
}

func TestContextKeys(t *testing.T) {
	t.Parallel()
	document := parse(t, policy.Parse, `[
		{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::a/${aws:username}/${*}/${aws:userid, 'x'}","arn:aws:s3:::b/${AWS:UserName}"]},
		{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringLike":{"s3:prefix":["${aws:PrincipalTag/team}/*"],"aws:UserAgent":"*"},
			"NumericEquals":{"s3:max-keys":1},"Null":{"aws:TokenIssueTime":"true"}}}]`)
	want := []string{"aws:PrincipalTag/team", "aws:TokenIssueTime", "aws:UserAgent", "aws:userid", "aws:username", "s3:max-keys", "s3:prefix"}
	if got := document.ContextKeys(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
