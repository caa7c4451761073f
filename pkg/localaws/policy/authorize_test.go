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
		policy.ServiceControl:      "a service control policy",
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
		got := document.Matching(policy.Request{Action: action, Resource: "arn:aws:s3:::a"})
		for i := range got {
			got[i].Start, got[i].End = policy.Position{}, policy.Position{}
		}
		if !slices.Equal(got, want) {
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
	other := parse(t, policy.Parse, `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"AWS:UserID":"a"}}}`)
	if got := policy.ContextKeys(document, other); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAuthorizeInOrganization follows the page "How SCPs work with Allow and Deny" of
// the AWS Organizations User Guide, and the order of evaluation in the IAM User Guide.
func TestAuthorizeInOrganization(t *testing.T) {
	t.Parallel()
	const (
		all    = `{"Effect":"Allow","Action":"*","Resource":"*"}`
		other  = `{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`
		denies = `{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}`
	)
	toSession := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/Ops/alice"},"Action":"s3:*","Resource":"*"}`
	toNone := `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}`
	one := func(statement string) [][]string { return [][]string{{statement}} }
	allowed := policy.Verdict{Decision: policy.Allow}
	no := func(by policy.Kind) policy.Verdict { return policy.Verdict{By: by} }
	never := func(by policy.Kind) policy.Verdict { return policy.Verdict{Decision: policy.ExplicitDeny, By: by} }
	for name, test := range map[string]struct {
		levels                                [][]string
		identity, boundary, session, resource string
		want                                  policy.Verdict
	}{
		"no organization":                        {nil, all, "", "", "", allowed},
		"no level":                               {[][]string{}, all, "", "", "", allowed},
		"allowed":                                {one(all), all, "", "", "", allowed},
		"an organization alone allows nothing":   {one(all), "", "", "", "", no(policy.IdentityPolicy)},
		"a level that is silent":                 {one(other), all, "", "", "", no(policy.ServiceControl)},
		"a level without policies":               {[][]string{{all}, {}}, all, "", "", "", no(policy.ServiceControl)},
		"one policy of a level is enough":        {[][]string{{other, all}}, all, "", "", "", allowed},
		"every level must allow":                 {[][]string{{all}, {other}, {all}}, all, "", "", "", no(policy.ServiceControl)},
		"every level allows":                     {[][]string{{all}, {other, all}, {all}}, all, "", "", "", allowed},
		"a level cannot make up for another":     {[][]string{{other}, {all}}, all, "", "", "", no(policy.ServiceControl)},
		"a deny on one level":                    {[][]string{{all}, {all, denies}, {all}}, all, "", "", "", never(policy.ServiceControl)},
		"a deny behind a level that is silent":   {[][]string{{other}, {all, denies}}, all, "", "", "", never(policy.ServiceControl)},
		"a deny and an identity policy's":        {one(denies), denies, "", "", "", never(policy.ServiceControl)},
		"a deny and the resource's":              {one(denies), all, "", "", toNone, never(policy.ServiceControl)},
		"silent, and the identity policy denies": {one(other), denies, "", "", "", never(policy.IdentityPolicy)},
		"silent, and the boundary denies":        {one(other), all, denies, "", "", never(policy.PermissionsBoundary)},
		"silent, and the session policy denies":  {one(other), all, "", denies, "", never(policy.SessionPolicy)},
		"silent, and the resource's denies":      {one(other), all, "", "", toNone, never(policy.ResourcePolicy)},
		"silent, as all others":                  {one(other), other, other, other, "", no(policy.ServiceControl)},
		"a resource's policy is no way around":   {one(other), "", "", "", toSession, no(policy.ServiceControl)},
		"allowed, and by the resource's policy":  {one(all), "", "", "", toSession, allowed},
	} {
		policies := policy.Policies{
			Identity: documents(t, policy.Parse, test.identity), Session: documents(t, policy.Parse, test.session),
		}
		for _, level := range test.levels {
			policies.Organization = append(policies.Organization, documents(t, policy.Parse, level...))
		}
		if test.boundary != "" {
			policies.Boundary = parse(t, policy.Parse, test.boundary)
		}
		if test.resource != "" {
			policies.Resource = parse(t, policy.ParseResource, test.resource)
		}
		request := policy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key", Principal: session()}
		if got := policy.Authorize(request, policies); got != test.want {
			t.Errorf("%s: %s by %q, want %s by %q", name, got.Decision, got.By, test.want.Decision, test.want.By)
		}
	}
}

// documents parses policies of one statement each; an empty one is none.
func documents(t *testing.T, parser func([]byte) (*policy.Document, error), statements ...string) []*policy.Document {
	t.Helper()
	var all []*policy.Document
	for _, statement := range statements {
		if statement != "" {
			all = append(all, parse(t, parser, statement))
		}
	}
	return all
}

// TestAuthorizeAcrossAccounts follows the page "Cross-account policy evaluation logic"
// of the IAM User Guide: both accounts must allow.
func TestAuthorizeAcrossAccounts(t *testing.T) {
	t.Parallel()
	const (
		other, own = "555555555555", "123456789012"
		all        = `{"Effect":"Allow","Action":"*","Resource":"*"}`
		none       = `{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`
		denies     = `{"Effect":"Deny","Action":"sts:*","Resource":"*"}`
	)
	trust := func(effect, principal string) string {
		return `{"Effect":"` + effect + `","Principal":{` + principal + `},"Action":"sts:AssumeRole"}`
	}
	toAccount, toBob := trust("Allow", `"AWS":"`+own+`"`), trust("Allow", `"AWS":"arn:aws:iam::123456789012:user/Bob"`)
	toRole, toAnyone := trust("Allow", `"AWS":"arn:aws:iam::123456789012:role/team/Ops"`), trust("Allow", `"AWS":"*"`)
	toSession := trust("Allow", `"AWS":"arn:aws:sts::123456789012:assumed-role/Ops/alice"`)
	toItself := trust("Allow", `"AWS":"`+other+`"`)
	notBob := trust("Deny", `"AWS":"arn:aws:iam::123456789012:user/Bob"`)
	toEC2 := trust("Allow", `"Service":"ec2.amazonaws.com"`)
	ec2 := policy.Principal{Service: "ec2.amazonaws.com"}
	allowed := policy.Verdict{Decision: policy.Allow}
	no := func(by policy.Kind) policy.Verdict { return policy.Verdict{By: by} }
	never := func(by policy.Kind) policy.Verdict { return policy.Verdict{Decision: policy.ExplicitDeny, By: by} }
	for name, test := range map[string]struct {
		who                                              policy.Principal
		account                                          string // of the role
		trust, identity, boundary, session, organization string
		want                                             policy.Verdict
	}{
		"both allow":                                     {bob(), other, toAccount, all, "", "", "", allowed},
		"both allow, by name":                            {bob(), other, toBob, all, "", "", "", allowed},
		"both allow, to anyone":                          {bob(), other, toAnyone, all, "", "", "", allowed},
		"the trust policy alone":                         {bob(), other, toAccount, "", "", "", "", no(policy.IdentityPolicy)},
		"the trust policy alone, by name":                {bob(), other, toBob, "", "", "", "", no(policy.IdentityPolicy)},
		"the trust policy alone, to anyone":              {bob(), other, toAnyone, "", "", "", "", no(policy.IdentityPolicy)},
		"the trust policy alone, to a session":           {session(), other, toSession, none, "", "", "", no(policy.IdentityPolicy)},
		"the identity policy alone":                      {bob(), other, toItself, all, "", "", "", no(policy.TrustPolicy)},
		"no policy of the resource":                      {bob(), other, "", all, "", "", "", no(policy.ResourcePolicy)},
		"neither":                                        {bob(), other, toItself, "", "", "", "", no(policy.TrustPolicy)},
		"the trust policy denies":                        {bob(), other, notBob, all, "", "", "", never(policy.TrustPolicy)},
		"the identity policy denies":                     {bob(), other, toBob, denies, "", "", "", never(policy.IdentityPolicy)},
		"the identity policy denies, none trusts":        {bob(), other, toItself, denies, "", "", "", never(policy.IdentityPolicy)},
		"a boundary is not waived":                       {bob(), other, toBob, all, none, "", "", no(policy.PermissionsBoundary)},
		"a session policy is not waived":                 {session(), other, toSession, all, "", none, "", no(policy.SessionPolicy)},
		"a role and its bounds":                          {session(), other, toRole, all, all, all, all, allowed},
		"a service control policy":                       {bob(), other, toBob, all, "", "", none, no(policy.ServiceControl)},
		"a service control policy that denies":           {bob(), other, toBob, all, "", "", denies, never(policy.ServiceControl)},
		"the same account, named":                        {bob(), own, toBob, "", "", "", "", allowed},
		"the same account, told by none":                 {bob(), "", toBob, "", "", "", "", allowed},
		"the same account, trusted":                      {bob(), own, toAccount, "", "", "", "", no(policy.IdentityPolicy)},
		"the same account, without a policy of resource": {bob(), own, "", all, "", "", "", allowed},
		"a service has no account":                       {ec2, other, toEC2, "", "", "", "", allowed},
	} {
		policies := policy.Policies{
			Identity: documents(t, policy.Parse, test.identity), Session: documents(t, policy.Parse, test.session),
		}
		if test.organization != "" {
			policies.Organization = [][]*policy.Document{documents(t, policy.Parse, test.organization)}
		}
		if test.boundary != "" {
			policies.Boundary = parse(t, policy.Parse, test.boundary)
		}
		if test.trust != "" {
			policies.Resource = parse(t, policy.ParseTrust, test.trust)
		}
		request := policy.Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::" + other + ":role/R", Principal: test.who, Account: test.account}
		if got := policy.Authorize(request, policies); got != test.want {
			t.Errorf("%s: %s by %q, want %s by %q", name, got.Decision, got.By, test.want.Decision, test.want.By)
		}
	}
}
