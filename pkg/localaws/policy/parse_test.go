package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A document is a policy and AWS's reason to reject it; empty if it is valid.
type document struct{ text, reason string }

func checkDocuments(t *testing.T, parse func([]byte) (*policy.Document, error), documents []document) {
	t.Helper()
	for _, d := range documents {
		parsed, err := parse([]byte(d.text))
		reason := ""
		if malformed, ok := errors.AsType[*policy.MalformedError](err); ok {
			reason = malformed.Reason
		}
		if reason != d.reason || (parsed == nil) != (d.reason != "") {
			t.Errorf("%s: %q, want %q", d.text, reason, d.reason)
		}
	}
}

const syntax = "Syntax errors in policy."

// Grammar of the IAM JSON policy language: the document.
func TestParseDocuments(t *testing.T) {
	t.Parallel()
	const s = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`
	checkDocuments(t, policy.Parse, []document{
		{`{"Version":"2012-10-17","Id":"mine","Statement":[` + s + `]}`, ""},
		{`{"Version":"2008-10-17","Statement":` + s + `}`, ""},
		{`{"Statement":` + s + `}`, ""},
		{`{ "Statement" : ` + s + ` }` + " \n", ""},
		{"\n" + `{"Statement":` + s + `}`, legacy},
		{" " + `{"Statement":` + s + `}`, legacy},
		{"\ufeff" + `{"Statement":` + s + `}`, syntax},
		{`{"Statement":` + s + `,"Version":"2012-10-17"}`, legacy},
		{`{"Statement":` + s + `,"Id":"mine"}`, ""},
		{``, syntax},
		{`{`, syntax},
		{`This is not JSON`, syntax},
		{`{}`, syntax},
		{`null`, syntax},
		{`[` + s + `]`, syntax},
		{`"Allow"`, syntax},
		{`{"Statement":` + s + `}x`, syntax},
		{`{"Statement":` + s + `}{}`, syntax},
		{`{"Statement":` + s + `,}`, syntax},
		{`{"Statement":[` + s + `,]}`, syntax},
		{`{"Statement":[` + s + `}`, syntax},
		{`{'Statement':` + s + `}`, syntax},
		{`{/* all */"Statement":` + s + `}`, syntax},
		{`{"Version":"2012-10-17"}`, syntax},
		{`{"Statement":[]}`, syntax},
		{`{"Statement":null}`, syntax},
		{`{"Statement":"hello"}`, syntax},
		{`{"Statement":["hello"]}`, syntax},
		{`{"Statement":[[` + s + `]]}`, syntax},
		{`{"Version":"2012-10-18","Statement":` + s + `}`, syntax},
		{`{"Version":"","Statement":` + s + `}`, syntax},
		{`{"Version":2012,"Statement":` + s + `}`, syntax},
		{`{"Version":null,"Statement":` + s + `}`, syntax},
		{`{"Id":{},"Statement":` + s + `}`, syntax},
		{`{"Id":["mine"],"Statement":` + s + `}`, syntax},
		{`{"Extra":"x","Statement":` + s + `}`, syntax},
		// Element names are case-sensitive, and occur once.
		{`{"statement":` + s + `}`, syntax},
		{`{"version":"2012-10-17","Statement":` + s + `}`, syntax},
		{`{"Statement":` + s + `,"Statement":` + s + `}`, syntax},
		{`{"Version":"2008-10-17","Version":"2012-10-17","Statement":` + s + `}`, syntax},
		{`{"Statement":[[[[[[[[[[[[]]]]]]]]]]]]}`, syntax},
	})
}

// Grammar of the IAM JSON policy language: statements of a policy that is not a
// resource policy.
func TestParseStatements(t *testing.T) {
	t.Parallel()
	const noVendor = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	const principal = "Policy document should not specify a principal."
	const sid = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	documents := []document{
		{`{"Sid":"Abc1","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`, ""},
		{`{"Effect":"Deny","NotAction":["s3:*"],"NotResource":["arn:aws:s3:::b","*"]}`, ""},

		// Elements.
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Extra":"x"}`, syntax},
		{`{"Effect":"Allow","action":"s3:GetObject","Resource":"*"}`, syntax},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Version":"2012-10-17"}`, syntax},
		{`{"Effect":"Allow","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`, syntax},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":null}`, syntax},
		{`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}`, principal},
		{`{"Effect":"Allow","NotPrincipal":"*","Action":"s3:GetObject","Resource":"*"}`, principal},
		{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/bob"}}`, principal},

		// Sid.
		{`{"Sid":"","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`, ""},
		{`{"Sid":"allow-read","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`, sid},
		{`{"Sid":"allow read","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`, sid},
		{`{"Sid":{},"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`, syntax},
		{`{"Sid":1,"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`, syntax},
		{`[{"Sid":"A","Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Sid":"A","Effect":"Deny","Action":"s3:*","Resource":"*"}]`, "Statement IDs (SID) in a single policy must be unique."},
		{`[{"Sid":"A","Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"s3:*","Resource":"*"}]`, ""},
		{`[{"Sid":"","Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Sid":"","Effect":"Deny","Action":"s3:*","Resource":"*"}]`, ""},

		// Effect.
		{`{"Action":"s3:GetObject","Resource":"*"}`, syntax},
		{`{"Effect":"Maybe","Action":"s3:GetObject","Resource":"*"}`, syntax},
		{`{"Effect":["Allow"],"Action":"s3:GetObject","Resource":"*"}`, syntax},
		{`{"Effect":"allow","Action":"s3:GetObject","Resource":"*"}`, legacy},
		{`{"Effect":"denY","Action":"s3:GetObject","Resource":"*"}`, legacy},

		// Action.
		{`{"Effect":"Allow","Action":"totallyfakeservice:DoSomething","Resource":"*"}`, ""},
		{`{"Effect":"Allow","Action":["s3-s:ListBucket","s3.s:ListBucket"],"Resource":"*"}`, ""},
		{`{"Effect":"Allow","Resource":"*"}`, "Policy statement must contain actions."},
		{`{"Effect":"Allow","Action":[],"Resource":"*"}`, "Policy statement must contain actions."},
		{`{"Effect":"Allow","Action":"s3:GetObject","NotAction":"s3:PutObject","Resource":"*"}`, syntax},
		{`{"Effect":"Allow","Action":[],"NotAction":"s3:PutObject","Resource":"*"}`, syntax},
		{`{"Effect":"Allow","Action":123,"Resource":"*"}`, syntax},
		{`{"Effect":"Allow","Action":{},"Resource":"*"}`, syntax},
		{`{"Effect":"Allow","Action":[[]],"Resource":"*"}`, syntax},
		{`{"Effect":"Allow","Action":null,"Resource":"*"}`, syntax},
		{`{"Effect":"Allow","Action":"","Resource":"*"}`, noVendor},
		{`{"Effect":"Allow","Action":"GetObject","Resource":"*"}`, noVendor},
		{`{"Effect":"Allow","NotAction":"GetObject","Resource":"*"}`, noVendor},
		{`{"Effect":"Allow","Action":["s3:GetObject","**"],"Resource":"*"}`, noVendor},
		{`{"Effect":"Allow","Action":":GetObject","Resource":"*"}`, "Vendor  is not valid"},
		{`{"Effect":"Allow","Action":"a a:Get","Resource":"*"}`, "Vendor a a is not valid"},
		{`{"Effect":"Allow","Action":"s3:Get:Object","Resource":"*"}`, "Actions/Condition can contain only one colon."},
		{`{"Effect":"Allow","Action":"s3:${aws:username}","Resource":"*"}`, "Actions/Condition can contain only one colon."},
		{`{"Effect":"Allow","Action":"*:GetObject","Resource":"*"}`, "Action vendors (e.g., aws, ec2, etc.) must not contain wildcards."},
		{`{"Effect":"Allow","Action":"s3?:GetObject","Resource":"*"}`, "Action vendors (e.g., aws, ec2, etc.) must not contain wildcards."},

		// Resource.
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:*:s3:::b"}`, ""},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws-us-gov:s3:::b"}`, ""},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:invalid-service:us-east-1::b"}`, ""},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:logs:*:*"}`, ""},
		{`{"Effect":"Allow","Action":"s3:GetObject"}`, "Policy statement must contain resources."},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":[]}`, "Policy statement must contain resources."},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","NotResource":"*"}`, syntax},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":{"a":"b"}}`, syntax},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":["*",{}]}`, syntax},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"bucket"}`, `Resource bucket must be in ARN format or "*".`},
		{`{"Effect":"Allow","Action":"s3:GetObject","NotResource":["bucket"]}`, `Resource bucket must be in ARN format or "*".`},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":""}`, `Resource  must be in ARN format or "*".`},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"**"}`, `Resource ** must be in ARN format or "*".`},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws2:s3:::b/*"}`, `Partition "aws2" is not valid for resource "arn:aws2:s3:::b/*".`},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:AWS:s3:::b/*"}`, `Partition "AWS" is not valid for resource "arn:AWS:s3:::b/*".`},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"s3::b/*"}`, `Partition "" is not valid for resource "arn::b/*:*:*:*".`},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"aws:s3:::b"}`, `Partition "s3" is not valid for resource "arn:s3:::b:*".`},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"a:b:c:d:e:f:g:h"}`, `Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".`},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws"}`, "Resource vendor must be fully qualified and cannot contain regexes."},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3*:::b"}`, "Resource vendor must be fully qualified and cannot contain regexes."},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:sqs:b"}`, ""},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:b"}`, "Resource arn:aws:s3:b can not contain region information."},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:eu-west-2:123456789012:accesspoint/a"}`, ""},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:eu-west-2:123456789012:b"}`, "Resource arn:aws:s3:eu-west-2:123456789012:b can not contain region information."},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:ec2:region:account-id:instance/*"}`, ""},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:ec2:<REGION>:123456789012:instance/*"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:ec2:eu-west-2:$(id):instance/*"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","NotResource":"arn:aws:ec2:eu-west-2:{{ account }}:instance/*"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:ec2:*:${aws:PrincipalAccount}:instance/*"}`, ""},
		{`{"Effect":"Allow","Action":"iam:GetUser","Resource":["arn:aws:iam::123456789012:*","arn:aws:iam::123456789012:root","arn:aws:iam::*:user/${aws:username}"]}`, ""},
		{`{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::123456789012:User/bob"}`, iamPaths},
		{`{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::123456789012:role*"}`, iamPaths},
		{`{"Effect":"Allow","Action":"iam:GetUser","NotResource":"arn:aws:iam::123456789012:${aws:username}"}`, iamPaths},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3::b"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3::b*"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws::::b"}`, legacy},
		{`{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam:us-east-1:123456789012:user/bob"}`, "IAM resource arn:aws:iam:us-east-1:123456789012:user/bob cannot contain region information."},

		// Variables.
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}"}`, ""},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team, 'no team'}"}`, ""},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${}"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:user name}"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username, bob}"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username, 'bob}"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username,'bob'}"}`, legacy},
		{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${${aws:username}}"}`, legacy},
	}
	for i := range documents {
		documents[i].text = `{"Version":"2012-10-17","Statement":` + documents[i].text + `}`
	}
	checkDocuments(t, policy.Parse, documents)
}

// IAM JSON policy elements: Condition operators.
func TestParseConditions(t *testing.T) {
	t.Parallel()
	documents := []document{
		{`{}`, ""},
		{`{"StringEquals":{"s3:prefix":["a","b"]},"Null":{"aws:TokenIssueTime":"true"}}`, ""},
		{`{"StringEquals":{"s3:prefix":[]}}`, ""},
		{`{"DateGreaterThan":{}}`, ""},
		{`{"Anything":{}}`, ""}, // no condition
		{`{"ForAllValues:StringEqualsIfExists":{"aws:TagKeys":"a"}}`, ""},
		{`{"ForAllValues:Null":{"aws:TagKeys":"true"}}`, ""},
		{`{"StringEquals":{"s3:prefix":"a"},"StringEquals":{"s3:prefix":"b"}}`, syntax},
		{`{"StringEquals":{"s3:prefix":"a","s3:prefix":"b"}}`, syntax},
		{`[]`, syntax},
		{`"a"`, syntax},
		{`[{"StringEquals":{"s3:prefix":"a"}}]`, syntax},
		{`{"StringEquals":"a"}`, syntax},
		{`{"StringEquals":[]}`, syntax},
		{`{"StringEquals":{"s3:prefix":null}}`, syntax},
		{`{"StringEquals":{"s3:prefix":{"a":"b"}}}`, syntax},
		{`{"StringEquals":{"s3:prefix":["a",["b"]]}}`, syntax},
		{`{"StringEquals":{"s3:prefix":"\u0000"}}`, syntax},

		// Only the known operators, in their exact case.
		{`{"StringEqualz":{"s3:prefix":"a"}}`, syntax},
		{`{"stringEquals":{"s3:prefix":"a"}}`, syntax},
		{`{"StringMatches":{"s3:prefix":"a"}}`, syntax},
		{`{"NotStringEquals":{"s3:prefix":"a"}}`, syntax},
		{`{"IpNotAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, syntax},
		{`{"NotBool":{"aws:SecureTransport":"true"}}`, syntax},
		{`{"BinaryNotEquals":{"s3:prefix":"YWJj"}}`, syntax},
		{`{"NumericNotLessThan":{"s3:max-keys":"1"}}`, syntax},
		{`{"NullIfExists":{"aws:TokenIssueTime":"true"}}`, syntax},
		{`{"StringEqualsIfExistsIfExists":{"s3:prefix":"a"}}`, syntax},
		{`{"ForAnyValue::StringEquals":{"s3:prefix":"a"}}`, syntax},
		{`{"ForAnyValue:ForAllValues:StringEquals":{"s3:prefix":"a"}}`, syntax},
		{`{"IfExists":{"s3:prefix":"a"}}`, syntax},
		{`{"":{"s3:prefix":"a"}}`, syntax},

		// Values that no request can have.
		{`{"NumericLessThan":{"s3:max-keys":["10",10,"10.5","-1","1e3"]}}`, ""},
		{`{"NumericLessThan":{"s3:max-keys":"abc"}}`, legacy},
		{`{"NumericLessThan":{"s3:max-keys":""}}`, legacy},
		{`{"NumericLessThan":{"s3:max-keys":" 10"}}`, legacy},
		{`{"NumericLessThan":{"s3:max-keys":"0x10"}}`, legacy},
		{`{"NumericLessThan":{"s3:max-keys":["1","Inf"]}}`, legacy},
		{`{"NumericLessThan":{"s3:max-keys":true}}`, legacy},
		{`{"NumericLessThan":{"s3:max-keys":"${s3:max-keys}"}}`, legacy},
		{`{"DateLessThan":{"aws:CurrentTime":["2026","2026-01","2026-01-01","2026-01-01T00:00Z","2026-01-01T00:00:00.000Z","2026-01-01T00:00:00+09:00","1767225600","-292275054"]}}`, ""},
		{`{"DateLessThan":{"aws:CurrentTime":"tomorrow"}}`, legacy},
		{`{"DateLessThan":{"aws:CurrentTime":"2026/01/01"}}`, legacy},
		{`{"DateLessThan":{"aws:CurrentTime":"2026-13-45"}}`, legacy},
		{`{"DateLessThan":{"aws:CurrentTime":"Thu, 01 Jan 2026 00:00:00 GMT"}}`, legacy},
		{`{"DateLessThan":{"aws:CurrentTime":"2026-01-*"}}`, legacy},
		{`{"DateLessThan":{"aws:CurrentTime":"9223372036854775808"}}`, legacy},
		{`{"Bool":{"aws:SecureTransport":["true","False",true]}}`, ""},
		{`{"Bool":{"aws:SecureTransport":"yes"}}`, legacy},
		{`{"Bool":{"aws:SecureTransport":"${aws:SecureTransport}"}}`, legacy},
		{`{"Null":{"aws:TokenIssueTime":"0"}}`, legacy},
		{`{"BinaryEquals":{"s3:x-amz-meta-x":["YWJj","YWJjZA=="]}}`, ""},
		{`{"BinaryEquals":{"s3:x-amz-meta-x":"!!!"}}`, syntax},
		{`{"BinaryEquals":{"s3:x-amz-meta-x":"abc"}}`, syntax},
		{`{"BinaryEquals":{"s3:x-amz-meta-x":"YWJj=="}}`, syntax},
		{`{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","203.0.113.5","0.0.0.0/0","2001:db8::/32","2001:db8::1","::/0"]}}`, ""},
		{`{"IpAddress":{"aws:SourceIp":"203.0.113.999/24"}}`, legacy},
		{`{"IpAddress":{"aws:SourceIp":"example.com"}}`, legacy},
		{`{"NotIpAddress":{"aws:SourceIp":"1.2.3"}}`, legacy},
		{`{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}`, legacy},
		{`{"IpAddress":{"aws:SourceIp":"10.0.0.0 "}}`, legacy},
		{`{"ArnLike":{"aws:SourceArn":["arn:*:s3:::b","arn:aws:*:*:*:*","*","arn:aws:iam::123456789012:user/${aws:username}"]}}`, ""},
		{`{"ArnLike":{"aws:SourceArn":"nope"}}`, legacy},
		{`{"ArnEquals":{"aws:SourceArn":"arn:aws:s3:b"}}`, legacy},
		{`{"ArnNotEquals":{"aws:SourceArn":"${aws:PrincipalArn}"}}`, legacy},
		{`{"StringLike":{"s3:prefix":"${aws:username"}}`, legacy},
	}
	for i := range documents {
		documents[i].text = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":` + documents[i].text + `}}`
	}
	checkDocuments(t, policy.Parse, documents)
}

// AWS JSON policy elements: Principal, and the content of a role's trust policy.
func TestParseTrust(t *testing.T) {
	t.Parallel()
	const text = "Syntax error in policy."
	const actions = "AssumeRole policy may only specify STS AssumeRole actions."
	invalid := func(value string) string { return "Invalid principal in policy: " + value }
	documents := []document{
		{`{"Sid":"A","Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole","Condition":{}}`, ""},
		{`{"Effect":"Deny","Principal":{"AWS":"*"},"NotAction":"sts:AssumeRole"}`, ""},
		{`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","sts:AssumeRoleWithWebIdentity","sts:AssumeRoleWithSAML","sts:TagSession","sts:SetSourceIdentity","sts:SetContext"]}`, ""},
		{`[{"Sid":"A","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"},{"Sid":"A","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:TagSession"}]`, "The Statement Ids in the policy are not unique"},
		{`[]`, "Could not parse the policy: Statement is empty!"},
		{`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Extra":"x"}`, text},
		{`{"Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}`, "Missing required field Effect"},

		// Action.
		{`{"Effect":"Allow","Principal":{"AWS":"*"}}`, "Missing required field Action"},
		{`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","NotAction":"sts:TagSession"}`, text},
		{`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*"}`, actions},
		{`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:GetObject"}`, actions},
		{`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:*"}`, actions},
		{`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:assumerole"}`, actions},
		{`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","sts:GetCallerIdentity"]}`, actions},
		{`{"Effect":"Deny","Principal":{"AWS":"*"},"NotAction":"s3:GetObject"}`, actions},

		// Resource: always the role itself.
		{`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Resource":"*"}`, "Has prohibited field Resource"},
		{`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","NotResource":"*"}`, "AssumeRole policy must not contain resources."},

		// Principal.
		{`{"Effect":"Allow","Action":"sts:AssumeRole"}`, "Missing required field Principal"},
		{`{"Effect":"Allow","Principal":{},"Action":"sts:AssumeRole"}`, "Missing required field Principal cannot be empty!"},
		{`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}`, `AssumeRolepolicy contained an invalid principal: "STAR":"*".`},
		{`{"Effect":"Allow","Principal":"123456789012","Action":"sts:AssumeRole"}`, text},
		{`{"Effect":"Allow","Principal":["*"],"Action":"sts:AssumeRole"}`, text},
		{`{"Effect":"Allow","Principal":{"AWS":[]},"Action":"sts:AssumeRole"}`, text},
		{`{"Effect":"Allow","Principal":{"AWS":{}},"Action":"sts:AssumeRole"}`, text},
		{`{"Effect":"Allow","Principal":{"AWS":123456789012},"Action":"sts:AssumeRole"}`, text},
		{`{"Effect":"Allow","Principal":{"AWS":"*","AWS":"*"},"Action":"sts:AssumeRole"}`, "This policy contains invalid Json"},
		{`{"Effect":"Deny","NotPrincipal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}`, "AssumeRole policy must not contain NotPrincipal field."},
		{`{"Effect":"Allow","Principal":{"AWS":"12345"},"Action":"sts:AssumeRole"}`, invalid(`"AWS":"12345"`)},
		{`{"Effect":"Allow","Principal":{"AWS":""},"Action":"sts:AssumeRole"}`, invalid(`"AWS":""`)},
		{`{"Effect":"Allow","Principal":{"AWS":["*","arn:aws:iam::123456789012:user/*"]},"Action":"sts:AssumeRole"}`, invalid(`"AWS":"arn:aws:iam::123456789012:user/*"`)},
		{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:*"},"Action":"sts:AssumeRole"}`, invalid(`"AWS":"arn:aws:iam::123456789012:*"`)},
		{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root "},"Action":"sts:AssumeRole"}`, invalid(`"AWS":"arn:aws:iam::123456789012:root "`)},
		{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:group/Admins"},"Action":"sts:AssumeRole"}`, invalid(`"AWS":"arn:aws:iam::123456789012:group/Admins"`)},
		{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/Ops/*"},"Action":"sts:AssumeRole"}`, invalid(`"AWS":"arn:aws:sts::123456789012:assumed-role/Ops/*"`)},
		{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/Ops"},"Action":"sts:AssumeRole"}`, invalid(`"AWS":"arn:aws:sts::123456789012:assumed-role/Ops"`)},
		{`{"Effect":"Allow","Principal":{"AWS":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`, invalid(`"AWS":"ec2.amazonaws.com"`)},
		{`{"Effect":"Allow","Principal":{"Service":["eks.amazonaws.com","ec2.amazonaws.com.cn","states.us-east-1.amazonaws.com"]},"Action":"sts:AssumeRole"}`, ""},
		{`{"Effect":"Allow","Principal":{"Service":"*"},"Action":"sts:AssumeRole"}`, invalid(`"SERVICE":"*"`)},
		{`{"Effect":"Allow","Principal":{"Service":"*.amazonaws.com"},"Action":"sts:AssumeRole"}`, invalid(`"SERVICE":"*.amazonaws.com"`)},
		{`{"Effect":"Allow","Principal":{"Service":"ec2.example.com"},"Action":"sts:AssumeRole"}`, invalid(`"SERVICE":"ec2.example.com"`)},
		{`{"Effect":"Allow","Principal":{"Service":"ec2"},"Action":"sts:AssumeRole"}`, invalid(`"SERVICE":"ec2"`)},
		{`{"Effect":"Allow","Principal":{"Federated":["www.amazon.com","graph.facebook.com","accounts.google.com"]},"Action":"sts:AssumeRoleWithWebIdentity"}`, ""},
		{`{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-2.amazonaws.com/id/0123"},"Action":"sts:AssumeRoleWithWebIdentity"}`, ""},
		{`{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity"}`, "A condition block must be present for the Cognito provider"},
		{`{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"us-east-1:1"}}}`, ""},
		{`{"Effect":"Allow","Principal":{"Federated":"idp.example.com"},"Action":"sts:AssumeRoleWithWebIdentity"}`, invalid(`"FEDERATED":"idp.example.com"`)},
		{`{"Effect":"Allow","Principal":{"Federated":"*"},"Action":"sts:AssumeRoleWithWebIdentity"}`, invalid(`"FEDERATED":"*"`)},
		{`{"Effect":"Allow","Principal":{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"},"Action":"sts:AssumeRole"}`, invalid(`"CanonicalUser"`)},
		{`{"Effect":"Allow","Principal":{"aws":"123456789012"},"Action":"sts:AssumeRole"}`, invalid(`"aws"`)},
	}
	for i := range documents {
		documents[i].text = `{"Version":"2012-10-17","Statement":` + documents[i].text + `}`
	}
	checkDocuments(t, policy.ParseTrust, append(documents,
		document{`{`, "This policy contains invalid Json"},
		document{`{"Version":"2020-01-01","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`, "The policy must contain a valid version string"},
		document{`{"Version":"2012-10-17"}`, "Could not parse the policy: Statement is empty!"},
	))
}

func TestParseResource(t *testing.T) {
	t.Parallel()
	checkDocuments(t, policy.ParseResource, []document{
		{`{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`, ""},
		{`{"Statement":{"Effect":"Deny","NotPrincipal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`, ""},
		{`{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"123456789012"},"Action":"s3:GetObject","Resource":"*"}}`, "Allow with NotPrincipal is not allowed."},
		{`{"Statement":{"Effect":"Deny","Principal":"*","NotPrincipal":"*","Action":"s3:GetObject","Resource":"*"}}`, "Syntax error in policy."},
		{`{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`, "Missing required field Principal"},
		{`{"Statement":{"Effect":"Allow","Principal":"*","Resource":"*"}}`, "Missing required field Action"},
		{`{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject"}}`, "Policy statement must contain resources."},
	})
}

func TestGrants(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ statement, named, granted string }{
		{`"Effect":"Allow","Action":["S3:GetObject","ec2:*","s3:Put*"]`, "ec2 s3", "ec2 s3"},
		{`"Effect":"Allow","Action":["s3:*","*"]`, "s3", "ec2 iam s3"},
		{`"Effect":"Allow","NotAction":["iam:*","s3:GetObject"]`, "", "ec2 s3"},
		{`"Effect":"Allow","NotAction":"*"`, "", ""},
		{`"Effect":"Deny","Action":"s3:*"`, "", ""},
		{`"Effect":"Deny","NotAction":"s3:*"`, "", ""},
		{`"Effect":"Allow","Action":"s3:*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`, "s3", "s3"},
	} {
		document := parse(t, policy.Parse, `[{`+test.statement+`,"Resource":"*"}]`)
		if got := strings.Join(document.Services(), " "); got != test.named {
			t.Errorf("%s names %q, want %q", test.statement, got, test.named)
		}
		var granted []string
		for _, service := range []string{"EC2", "iam", "s3"} {
			if document.Grants(service) {
				granted = append(granted, strings.ToLower(service))
			}
		}
		if got := strings.Join(granted, " "); got != test.granted {
			t.Errorf("%s grants %q, want %q", test.statement, got, test.granted)
		}
	}
}
