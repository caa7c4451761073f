package policy_test

import (
	"slices"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

const account = "123456789012"

// The callers in the examples.
func bob() policy.Principal {
	return policy.Principal{AccountID: account, ARNs: []string{"arn:aws:iam::123456789012:user/Bob"}}
}

func session() policy.Principal {
	return policy.Principal{AccountID: account, ARNs: []string{"arn:aws:sts::123456789012:assumed-role/Ops/alice", "arn:aws:iam::123456789012:role/team/Ops"}}
}

func federatedUser() policy.Principal {
	return policy.Principal{AccountID: account, ARNs: []string{"arn:aws:sts::123456789012:federated-user/Carol"}}
}

func service(name string) policy.Principal { return policy.Principal{Service: name} }

func cameFrom(provider string) policy.Principal { return policy.Principal{Federated: provider} }

// trust and distrust return examples of a trust policy with these principals that
// does or does not let a caller assume the role.
func trust(principal string, who policy.Principal) example {
	return example{
		policy.ParseTrust, trusting(principal),
		policy.Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::123456789012:role/R", Principal: who}, policy.Allow,
	}
}

func distrust(principal string, who policy.Principal) example {
	e := trust(principal, who)
	e.want = policy.ImplicitDeny
	return e
}

func trusting(principal string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow",` + principal + `,"Action":"sts:AssumeRole"}}`
}

// trustIf and distrustIf return examples of a condition with which bob may or may
// not assume a role.
func trustIf(condition string, keys ...key) example {
	e := trust(`"Principal":{"AWS":"123456789012"},"Condition":{`+condition+`}`, bob())
	e.request.Context = contextOf(keys)
	return e
}

func distrustIf(condition string, keys ...key) example {
	e := trustIf(condition, keys...)
	e.want = policy.ImplicitDeny
	return e
}

// spare and hit return examples of a bucket policy with NotPrincipal that does not
// deny, or denies, a caller.
func spare(principal string, who policy.Principal) example {
	e := hit(principal, who)
	e.want = policy.ImplicitDeny
	return e
}

func hit(principal string, who policy.Principal) example {
	return example{
		policy.ParseResource, `{"Version":"2012-10-17","Statement":{"Effect":"Deny",` + principal + `,"Action":"s3:*","Resource":"arn:aws:s3:::bucket/*"}}`,
		policy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key", Principal: who}, policy.ExplicitDeny,
	}
}

func principals() []example {
	const google = "accounts.google.com"
	const github = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
	const saml = "arn:aws:iam::123456789012:saml-provider/Okta"
	return []example{
		// An account, by its ID or by the ARN of its root.
		trust(`"Principal":{"AWS":"123456789012"}`, bob()),
		trust(`"Principal":{"AWS":"1234-5678-9012"}`, bob()),
		trust(`"Principal":{"AWS":"arn:aws:iam::123456789012:root"}`, bob()),
		trust(`"Principal":{"AWS":"arn:aws:iam::123456789012:root"}`, session()),
		trust(`"Principal":{"AWS":["555555555555","123456789012"]}`, bob()),
		distrust(`"Principal":{"AWS":"555555555555"}`, bob()),
		distrust(`"Principal":{"AWS":"arn:aws:iam::555555555555:root"}`, bob()),

		// A user; names are case-sensitive.
		trust(`"Principal":{"AWS":"arn:aws:iam::123456789012:user/Bob"}`, bob()),
		trust(`"Principal":{"AWS":["arn:aws:iam::123456789012:user/Alice","arn:aws:iam::123456789012:user/Bob"]}`, bob()),
		distrust(`"Principal":{"AWS":"arn:aws:iam::123456789012:user/bob"}`, bob()),
		distrust(`"Principal":{"AWS":"arn:aws:iam::123456789012:user/Bob"}`, session()),

		// A role matches all its sessions, a session only itself.
		trust(`"Principal":{"AWS":"arn:aws:iam::123456789012:role/team/Ops"}`, session()),
		distrust(`"Principal":{"AWS":"arn:aws:iam::123456789012:role/Ops"}`, session()),
		trust(`"Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/Ops/alice"}`, session()),
		distrust(`"Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/Ops/bob"}`, session()),
		trust(`"Principal":{"AWS":"arn:aws:sts::123456789012:federated-user/Carol"}`, federatedUser()),
		distrust(`"Principal":{"AWS":"arn:aws:iam::123456789012:user/Carol"}`, federatedUser()),

		// Services and identity providers have their own.
		trust(`"Principal":{"Service":["ecs.amazonaws.com","elasticloadbalancing.amazonaws.com"]}`, service("ecs.amazonaws.com")),
		trust(`"Principal":{"Service":"ec2.amazonaws.com","AWS":"123456789012"}`, bob()),
		distrust(`"Principal":{"Service":"ecs.amazonaws.com"}`, service("ec2.amazonaws.com")),
		distrust(`"Principal":{"Service":"ec2.amazonaws.com"}`, bob()),
		distrust(`"Principal":{"AWS":"123456789012"}`, service("ec2.amazonaws.com")),
		trust(`"Principal":{"Federated":"accounts.google.com"}`, cameFrom(google)),
		trust(`"Principal":{"Federated":"`+github+`"}`, cameFrom(github)),
		trust(`"Principal":{"Federated":["`+saml+`","`+github+`"]}`, cameFrom(saml)),
		distrust(`"Principal":{"Federated":"graph.facebook.com"}`, cameFrom(google)),
		distrust(`"Principal":{"Federated":"`+github+`"}`, bob()),
		distrust(`"Principal":{"AWS":"123456789012"}`, cameFrom(github)),

		// * matches every principal of an account; a denial matches everybody.
		trust(`"Principal":{"AWS":"*"}`, bob()),
		trust(`"Principal":{"AWS":"*"}`, session()),
		distrust(`"Principal":{"AWS":"*"}`, service("ec2.amazonaws.com")),
		hit(`"Principal":"*"`, bob()),
		hit(`"Principal":{"AWS":"*"}`, session()),
		hit(`"Principal":"*"`, service("ec2.amazonaws.com")),
		hit(`"Principal":{"AWS":"123456789012"}`, session()),
	}
}

func notPrincipals() []example {
	const account, user = `"arn:aws:iam::123456789012:root"`, `"arn:aws:iam::123456789012:user/Bob"`
	const role, own = `"arn:aws:iam::123456789012:role/team/Ops"`, `"arn:aws:sts::123456789012:assumed-role/Ops/alice"`
	return []example{
		spare(`"NotPrincipal":{"AWS":[`+account+`,`+user+`]}`, bob()),
		hit(`"NotPrincipal":{"AWS":`+user+`}`, bob()),    // the account must be named, too
		hit(`"NotPrincipal":{"AWS":`+account+`}`, bob()), // but does not include its users
		hit(`"NotPrincipal":{"AWS":[`+account+`,`+user+`]}`, session()),
		hit(`"NotPrincipal":{"AWS":["arn:aws:iam::555555555555:root",`+user+`]}`, bob()),
		spare(`"NotPrincipal":{"AWS":[`+account+`,`+role+`]}`, session()),
		spare(`"NotPrincipal":{"AWS":[`+account+`,`+role+`,`+own+`]}`, session()),
		hit(`"NotPrincipal":{"AWS":`+role+`}`, session()),
		spare(`"NotPrincipal":"*"`, bob()),
		spare(`"NotPrincipal":{"Service":"codebuild.amazonaws.com"}`, service("codebuild.amazonaws.com")),
		hit(`"NotPrincipal":{"Service":"codebuild.amazonaws.com"}`, service("ec2.amazonaws.com")),
		hit(`"NotPrincipal":{"Service":"codebuild.amazonaws.com"}`, bob()),
	}
}

func keysOfSTS() []example {
	const external = `"StringEquals":{"sts:ExternalId":"12345"}`
	const own = `"StringLike":{"sts:RoleSessionName":"${aws:username}"}`
	const repository = `"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"},"StringLike":{"token.actions.githubusercontent.com:sub":"repo:octo/app:*"}`
	audience := is("token.actions.githubusercontent.com:aud", "sts.amazonaws.com")
	subject := func(name string) key { return is("token.actions.githubusercontent.com:sub", name) }
	return []example{
		trustIf(external, is("sts:ExternalId", "12345")),
		distrustIf(external, is("sts:ExternalId", "54321")),
		distrustIf(external),
		trustIf(own, is("sts:RoleSessionName", "bob"), is("aws:username", "bob")),
		distrustIf(own, is("sts:RoleSessionName", "admin"), is("aws:username", "bob")),
		distrustIf(own, is("sts:RoleSessionName", "admin")), // a session has no user name
		trustIf(`"StringLike":{"sts:SourceIdentity":["Saanvi","Diego"]}`, is("sts:SourceIdentity", "Diego")),
		distrustIf(`"StringLike":{"sts:SourceIdentity":["Saanvi","Diego"]}`),
		trustIf(`"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["Project","CostCenter"]}`, is("sts:TransitiveTagKeys", "Project")),
		distrustIf(`"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["Project","CostCenter"]}`, is("sts:TransitiveTagKeys", "Project", "Team")),
		trustIf(repository, audience, subject("repo:octo/app:ref:refs/heads/main")),
		distrustIf(repository, audience, subject("repo:other/app:ref:refs/heads/main")),
		distrustIf(repository, subject("repo:octo/app:ref:refs/heads/main")),
	}
}

func globalKeys() []example {
	const mfa, old = `"Bool":{"aws:MultiFactorAuthPresent":"true"}`, `"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}`
	const role = `"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/team/*"}`
	return []example{
		// Requests with a long-term key have no MFA keys.
		trustIf(mfa, is("aws:MultiFactorAuthPresent", "true")),
		distrustIf(mfa, is("aws:MultiFactorAuthPresent", "false")),
		distrustIf(mfa),
		trustIf(old, is("aws:MultiFactorAuthAge", "3599")),
		distrustIf(old, is("aws:MultiFactorAuthAge", "3600")),
		distrustIf(old),
		// The principal of a session is its role.
		trustIf(role, is("aws:PrincipalArn", "arn:aws:iam::123456789012:role/team/Ops")),
		distrustIf(role, is("aws:PrincipalArn", "arn:aws:sts::123456789012:assumed-role/Ops/alice")),
		trustIf(`"StringEquals":{"aws:PrincipalTag/team":"blue"}`, is("aws:principaltag/TEAM", "blue")),
		distrustIf(`"StringEquals":{"aws:PrincipalTag/team":"blue"}`, is("aws:PrincipalTag/team", "Blue")),
		trustIf(`"StringEquals":{"aws:RequestedRegion":["eu-west-1","eu-west-2"]}`, is("aws:RequestedRegion", "eu-west-2")),
		distrustIf(`"StringNotEquals":{"aws:RequestedRegion":["eu-west-1","eu-west-2"]}`, is("aws:RequestedRegion", "eu-west-2")),
		trustIf(`"StringLike":{"aws:userid":"AROAEXAMPLE:*"}`, is("aws:userid", "AROAEXAMPLE:alice")),
		trustIf(`"StringEquals":{"aws:PrincipalType":"AssumedRole"}`, is("aws:PrincipalType", "AssumedRole")),
	}
}

// allowsDirectly reports whether the document names the principal's own ARN, not
// only its account: the principal then needs no permission of its own.
func allowsDirectly(document *policy.Document, request policy.Request) bool {
	return policy.Authorize(request, policy.Policies{Resource: document}).Decision == policy.Allow
}

func TestAllowsDirectly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		principal string
		who       policy.Principal
		want      bool
	}{
		{`"Principal":{"AWS":"arn:aws:iam::123456789012:user/Bob"}`, bob(), true},
		{`"Principal":{"AWS":"arn:aws:iam::123456789012:role/team/Ops"}`, session(), true},
		{`"Principal":{"AWS":"*"}`, bob(), true},
		{`"Principal":{"AWS":"123456789012"}`, bob(), false},
		{`"Principal":{"AWS":"arn:aws:iam::123456789012:user/Alice"}`, bob(), false},
		{`"Principal":{"AWS":"arn:aws:iam::123456789012:user/Bob"},"Condition":{"StringEquals":{"sts:ExternalId":"42"}}`, bob(), false},
	} {
		document, err := policy.ParseTrust([]byte(trusting(test.principal)))
		if err != nil {
			t.Errorf("%s: %v", test.principal, err)
			continue
		}
		request := policy.Request{Action: "sts:AssumeRole", Principal: test.who}
		if got := allowsDirectly(document, request); got != test.want {
			t.Errorf("%s: %v for %q", test.principal, got, test.who.ARNs)
		}
	}
}

// TestAllowsDirectlyByOneStatement checks that the statement that names the
// principal must be the one that allows.
func TestAllowsDirectlyByOneStatement(t *testing.T) {
	t.Parallel()
	document, err := policy.ParseTrust([]byte(`{"Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/Bob"},"Action":"sts:TagSession"},
		{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	request := policy.Request{Action: "sts:AssumeRole", Principal: bob()}
	if policy.Evaluate(request, document) != policy.Allow || allowsDirectly(document, request) {
		t.Error("allowed directly, but the allowing statement names only the account")
	}
}

func TestPrincipalARNs(t *testing.T) {
	t.Parallel()
	document, err := policy.ParseTrust([]byte(trusting(`"Principal":{"AWS":["123456789012","arn:aws:iam::123456789012:user/Bob","arn:aws:iam::123456789012:role/R"],"Service":"ec2.amazonaws.com"}`)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := document.PrincipalARNs(), []string{"arn:aws:iam::123456789012:user/Bob", "arn:aws:iam::123456789012:role/R"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestParseStoredTrust checks trust policies that the first version of this package
// accepted: they still load, and allow what they did.
func TestParseStoredTrust(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		statement string
		want      policy.Decision
	}{
		"a wildcard":              {`"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:*"`, policy.Allow},
		"an action in lower case": {`"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:assumerole"`, policy.Allow},
		"another action":          {`"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:GetCallerIdentity"`, policy.ImplicitDeny},
		"everyone":                {`"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"`, policy.Allow},
		"everyone but Alice":      {`"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:user/Alice"},"Action":"sts:AssumeRole"`, policy.Allow},
		"not for everyone but":    {`"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:user/Alice"},"Action":"sts:AssumeRole"`, policy.ExplicitDeny},
		"a group":                 {`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:group/Admins"},"Action":"sts:AssumeRole"`, policy.ImplicitDeny},
		"a service that is none":  {`"Effect":"Allow","Principal":{"Service":"ec2","AWS":"123456789012"},"Action":"sts:AssumeRole"`, policy.Allow},
	} {
		text := []byte(`{"Version":"2012-10-17","Statement":{` + test.statement + `}}`)
		if _, err := policy.ParseTrust(text); err == nil {
			t.Errorf("%s: a new one was accepted", name)
		}
		document, err := policy.ParseStoredTrust(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		request := policy.Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::123456789012:role/R", Principal: bob()}
		if got := policy.Evaluate(request, document); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	for _, statement := range []string{
		`"Effect":"Allow","Action":"sts:AssumeRole"`,
		`"Effect":"allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"`,
		`"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Resource":"*"`,
	} {
		if _, err := policy.ParseStoredTrust([]byte(`{"Statement":{` + statement + `}}`)); err == nil {
			t.Errorf("%s was accepted", statement)
		}
	}
}
