package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

func parse(t testing.TB, statement string) *policy.Document {
	t.Helper()
	document, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":` + statement + `}`))
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return document
}

func TestEvaluate(t *testing.T) {
	keys := map[string][]string{
		"aws:username": {"bob"}, "aws:sourceip": {"10.1.2.3"}, "aws:currenttime": {"2026-11-23T08:00:00Z"}, "n": {"5"}, "b": {"true"},
		"arn": {"arn:aws:iam::231144931069:role/x"}, "many": {"a", "b"}, "star": {"*"},
	}
	const resource = "arn:aws:s3:::home/bob/file"
	condition := func(c string) string {
		return `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":` + c + `}`
	}
	for statement, want := range map[string]policy.Decision{
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`:                                            policy.Allow,
		`{"Effect":"Allow","Action":"*","Resource":"*"}`:                                                       policy.Allow,
		`{"Effect":"Allow","Action":["s3:Put*","s3:Get?bject"],"Resource":["*"]}`:                              policy.Allow,
		`{"Effect":"Allow","Action":"s3:getobject","Resource":"*"}`:                                            policy.Allow,
		`{"Effect":"Allow","Action":"s3:Get","Resource":"*"}`:                                                  policy.ImplicitDeny,
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::HOME/*"}`:                          policy.ImplicitDeny,
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::home/${aws:username}/*"}`:          policy.Allow,
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::home/${star}/*"}`:                  policy.ImplicitDeny, // a value is no wildcard
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::home/${nobody}*"}`:                 policy.ImplicitDeny,
		`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`:                                                policy.Allow,
		`{"Effect":"Allow","NotAction":"s3:*","Resource":"*"}`:                                                 policy.ImplicitDeny,
		`{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::home/*"}`:                               policy.ImplicitDeny,
		`{"Effect":"Deny","NotResource":"arn:aws:s3:::other/*","Action":"*"}`:                                  policy.ExplicitDeny,
		`[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"s3:Get*","Resource":"*"}]`: policy.ExplicitDeny,

		condition(`{"StringEquals":{"aws:username":["alice","bob"]}}`):              policy.Allow,
		condition(`{"StringEquals":{"AWS:UserName":"bob"}}`):                        policy.Allow,
		condition(`{"StringEquals":{"aws:username":"BOB"}}`):                        policy.ImplicitDeny,
		condition(`{"StringEqualsIgnoreCase":{"aws:username":"BOB"}}`):              policy.Allow,
		condition(`{"StringNotEquals":{"aws:username":"bob"}}`):                     policy.ImplicitDeny,
		condition(`{"StringNotEquals":{"aws:username":["alice","carol"]}}`):         policy.Allow,
		condition(`{"StringLike":{"aws:username":"b*"}}`):                           policy.Allow,
		condition(`{"StringEquals":{"missing":"x"}}`):                               policy.ImplicitDeny,
		condition(`{"StringEqualsIfExists":{"missing":"x"}}`):                       policy.Allow,
		condition(`{"Null":{"missing":"true"}}`):                                    policy.Allow,
		condition(`{"Null":{"aws:username":"true"}}`):                               policy.ImplicitDeny,
		condition(`{"Null":{"aws:username":false}}`):                                policy.Allow,
		condition(`{"Bool":{"b":true}}`):                                            policy.Allow,
		condition(`{"Bool":{"b":"false"}}`):                                         policy.ImplicitDeny,
		condition(`{"NumericLessThan":{"n":6}}`):                                    policy.Allow,
		condition(`{"NumericLessThan":{"n":5}}`):                                    policy.ImplicitDeny,
		condition(`{"NumericGreaterThanEquals":{"n":"5"}}`):                         policy.Allow,
		condition(`{"NumericEquals":{"aws:username":"5"}}`):                         policy.ImplicitDeny,
		condition(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`):                    policy.Allow,
		condition(`{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`):                 policy.ImplicitDeny,
		condition(`{"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}}`):    policy.Allow,
		condition(`{"DateGreaterThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}}`): policy.ImplicitDeny,
		condition(`{"ArnLike":{"arn":"arn:aws:iam::*:role/*"}}`):                    policy.Allow,
		condition(`{"ArnLike":{"arn":"arn:*:role/x"}}`):                             policy.ImplicitDeny, // * stops at colons
		condition(`{"ForAllValues:StringEquals":{"many":["a","b","c"]}}`):           policy.Allow,
		condition(`{"ForAllValues:StringEquals":{"many":["a"]}}`):                   policy.ImplicitDeny,
		condition(`{"ForAnyValue:StringEquals":{"many":["b"]}}`):                    policy.Allow,
		condition(`{"ForAnyValue:StringEquals":{"missing":["b"]}}`):                 policy.ImplicitDeny,
		condition(`{"StringEquals":{"aws:username":"bob"},"Bool":{"b":"false"}}`):   policy.ImplicitDeny,
	} {
		request := policy.Request{Action: "s3:GetObject", Resource: resource, Context: keys}
		if got := policy.Evaluate(request, parse(t, statement)); got != want {
			t.Errorf("%s: %s, want %s", statement, got, want)
		}
	}
	if got := policy.Evaluate(policy.Request{Action: "a:B", Resource: "*"}); got != policy.ImplicitDeny {
		t.Errorf("no policy: %s", got)
	}
}

func TestMatching(t *testing.T) {
	document := parse(t, `[
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
	document := parse(t, `[
		{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::a/${aws:username}/${*}/${aws:userid}","arn:aws:s3:::b/${AWS:UserName}"]},
		{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringLike":{"s3:prefix":["${aws:PrincipalTag/team}/*"],"aws:UserAgent":"*"}}}]`)
	want := []string{"aws:PrincipalTag/team", "aws:UserAgent", "aws:userid", "aws:username", "s3:prefix"}
	if got := document.ContextKeys(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTrust(t *testing.T) {
	bob := policy.Principal{AccountID: "231144931069", ARNs: []string{"arn:aws:iam::231144931069:user/bob"}}
	for principal, want := range map[string]struct{ allowed, directly bool }{
		`"Principal":"*"`:                                                           {true, false},
		`"Principal":{"AWS":"231144931069"}`:                                        {true, false},
		`"Principal":{"AWS":"arn:aws:iam::231144931069:root"}`:                      {true, false},
		`"Principal":{"AWS":"arn:aws:iam::231144931069:user/bob"}`:                  {true, true},
		`"Principal":{"AWS":["111122223333","arn:aws:iam::231144931069:user/bob"]}`: {true, true},
		`"Principal":{"AWS":"arn:aws:iam::231144931069:user/alice"}`:                {false, false},
		`"Principal":{"AWS":"111122223333"}`:                                        {false, false},
		`"Principal":{"Service":"ec2.amazonaws.com"}`:                               {false, false},
		`"NotPrincipal":{"AWS":"111122223333"}`:                                     {true, false},
	} {
		document, err := policy.ParseTrust([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + principal + `,"Action":"sts:AssumeRole"}]}`))
		if err != nil {
			t.Errorf("%s: %v", principal, err)
			continue
		}
		decision := policy.Evaluate(policy.Request{Action: "sts:AssumeRole", Resource: "x", Principal: bob}, document)
		if (decision == policy.Allow) != want.allowed || directly(document, bob) != want.directly {
			t.Errorf("%s: %s, directly %v", principal, decision, directly(document, bob))
		}
	}
	service := policy.Principal{Service: "ec2.amazonaws.com"}
	anyone, err := policy.ParseTrust([]byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := policy.Evaluate(policy.Request{Action: "sts:AssumeRole", Principal: service}, anyone); got == policy.Allow {
		t.Error("AWS:* lets a service in")
	}
}

func TestParseRefuses(t *testing.T) {
	for name, document := range map[string]string{
		"nothing":              ``,
		"a list":               `[]`,
		"something behind":     `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}x`,
		"no statement":         `{"Version":"2012-10-17"}`,
		"another version":      `{"Version":"2013-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		"another field":        `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Actions":"*"}}`,
		"another effect":       `{"Statement":{"Effect":"allow","Action":"*","Resource":"*"}}`,
		"no action":            `{"Statement":{"Effect":"Allow","Resource":"*"}}`,
		"two kinds of action":  `{"Statement":{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}}`,
		"an action of nobody":  `{"Statement":{"Effect":"Allow","Action":"GetObject","Resource":"*"}}`,
		"no resource":          `{"Statement":{"Effect":"Allow","Action":"*"}}`,
		"a resource of no ARN": `{"Statement":{"Effect":"Allow","Action":"*","Resource":"bucket"}}`,
		"a principal":          `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}}`,
		"an operator of none":  `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{"a":"b"}}}}`,
		"a SID twice":          `{"Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}]}`,
	} {
		if _, err := policy.Parse([]byte(document)); err == nil {
			t.Errorf("%s is a policy", name)
		}
	}
	for name, document := range map[string]string{
		"no principal":    `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}`,
		"a resource":      `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Resource":"*"}}`,
		"another action":  `{"Statement":{"Effect":"Allow","Action":"s3:*","Principal":"*"}}`,
		"a wildcard ARN":  `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::231144931069:user/*"}}}`,
		"a federated one": `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Federated":"x"}}}`,
		"an empty one":    `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{}}}`,
	} {
		if _, err := policy.ParseTrust([]byte(document)); err == nil {
			t.Errorf("%s is a trust policy", name)
		}
	}
}

func directly(document *policy.Document, who policy.Principal) bool {
	return document.AllowsDirectly(policy.Request{Action: "sts:AssumeRole", Resource: "x", Principal: who})
}

// TestTrustOfAnotherStatement: that a statement names the principal is nothing
// if the statement does not hold.
func TestTrustOfAnotherStatement(t *testing.T) {
	bob := policy.Principal{AccountID: "231144931069", ARNs: []string{"arn:aws:iam::231144931069:user/bob"}}
	for _, never := range []string{
		`"Action":"sts:TagSession"`,
		`"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"42"}}`,
	} {
		document, err := policy.ParseTrust([]byte(`{"Statement":[
			{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::231144931069:user/bob"},` + never + `},
			{"Effect":"Allow","Principal":{"AWS":"231144931069"},"Action":"sts:AssumeRole"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if directly(document, bob) {
			t.Errorf("%s names bob directly", never)
		}
	}
}

// FuzzParse holds that what parses can be evaluated, in time, and that an empty
// request is never allowed by a policy without a wildcard.
func FuzzParse(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}*"}]}`, "s3:GetObject")
	f.Add(`{"Statement":{"Effect":"Deny","NotAction":["a:b"],"NotResource":"*","Condition":{"ForAllValues:StringLike":{"a":["*"]}}}}`, "a:b")
	f.Fuzz(func(t *testing.T, text, action string) {
		document, err := policy.Parse([]byte(text))
		if err != nil {
			if document != nil || err.Error() == "" {
				t.Errorf("%q: %v, %v", text, document, err)
			}
			return
		}
		decision := policy.Evaluate(policy.Request{Action: action, Resource: strings.Repeat("a", 100), Context: map[string][]string{"aws:username": {action}}}, document)
		if decision == policy.Allow && !strings.Contains(text, "Allow") {
			t.Errorf("%q allows %q", text, action)
		}
	})
}
