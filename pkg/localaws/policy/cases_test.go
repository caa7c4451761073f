package policy_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

const (
	legacy   = "The policy failed legacy parsing"
	iamPaths = `IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, ` +
		"server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/."
)

// TestPoliciesFromTheField checks documents with the mistakes that people make, in
// testdata and in the folder of cases next to the repository, if it is there.
func TestPoliciesFromTheField(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"account-not-filled-in":    legacy,
		"empty-first-line":         legacy,
		"iam-resource-path":        iamPaths,
		"s3-with-region":           "Resource arn:aws:s3:us-east-1::example_bucket can not contain region information.",
		"statement-before-version": legacy,
	}
	for _, folder := range []string{"testdata/cases", "../../../../shared/cases/policies"} {
		files, err := filepath.Glob(folder + "/*.json")
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 && folder == "testdata/cases" {
			t.Error("no cases")
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			reason, known := want[name]
			if !known {
				t.Errorf("%s: this test does not know what AWS says", file)
				continue
			}
			document, err := policy.Parse(text)
			if malformed, ok := errors.AsType[*policy.MalformedError](err); !ok || malformed.Reason != reason || document != nil {
				t.Errorf("%s: %v, want %s", file, err, reason)
			}
			// Before, each was accepted, so a stored one must still load.
			if _, err := policy.ParseStored(text); err != nil {
				t.Errorf("%s: a stored one: %v", file, err)
			}
		}
	}
}

// TestIncompleteARNs checks that missing parts of an ARN are wildcards.
func TestIncompleteARNs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		resource string
		yes, no  []string
	}{
		{"arn:aws:s3", []string{"arn:aws:s3:::b", "arn:aws:s3:::b/a:b"}, []string{"arn:aws:sqs:eu-west-2:123456789012:q", "arn:aws-cn:s3:::b"}},
		{"arn:aws:sqs", []string{"arn:aws:sqs:eu-west-2:123456789012:q"}, []string{"arn:aws:s3:::b"}},
		{"arn:aws:sqs:eu-west-2", []string{"arn:aws:sqs:eu-west-2:123456789012:q"}, []string{"arn:aws:sqs:eu-west-1:123456789012:q"}},
		{"arn:aws:sqs:*:123456789012", []string{"arn:aws:sqs:eu-west-2:123456789012:q"}, []string{"arn:aws:sqs:eu-west-2:111122223333:q"}},
		{"arn:aws:iam", []string{"arn:aws:iam::123456789012:user/bob"}, []string{"arn:aws:sts::123456789012:assumed-role/a/b"}},
		{"arn:*:eks", []string{"arn:aws-cn:eks:cn-north-1:123456789012:cluster/a"}, nil},
	} {
		for _, element := range []string{"Resource", "NotResource"} {
			document := parse(t, policy.Parse, `{"Effect":"Allow","Action":"*","`+element+`":"`+test.resource+`"}`)
			for _, resource := range slices.Concat(test.yes, test.no) {
				matches := slices.Contains(test.yes, resource)
				got := policy.Evaluate(policy.Request{Action: "a:b", Resource: resource}, document)
				if (got == policy.Allow) != (matches == (element == "Resource")) {
					t.Errorf("%s %s: %s is %s", element, test.resource, resource, got)
				}
			}
		}
	}
}

// TestOneOfSeveralErrors checks which error AWS reports of a document with several.
func TestOneOfSeveralErrors(t *testing.T) {
	t.Parallel()
	const version = "Policy document must be version 2012-10-17 or greater."
	s := func(statement string) string { return `{"Version":"2012-10-17","Statement":` + statement + `}` }
	checkDocuments(t, policy.ParseManaged, []document{
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}}`, version},
		{`{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}}`, version},
		{`{"Version":"2013-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}}`, syntax},
		{`{"Statement":[{"Sid":"a","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"},{"Sid":"a","Effect":"Allow"}]}`, version},
		{`{"Statement":{"Effect":"denY","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}}`, version},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"x":"y"}}}`, syntax},
		{s(`{"Effect":"Allow","Action":"s:3:ListBucket","Resource":"sdf"}`), `Resource sdf must be in ARN format or "*".`},
		{s(`{"Effect":"Allow","Action":"invalid"}`), "Policy statement must contain resources."},
		{s(`{"Effect":"Allow"}`), "Policy statement must contain actions."},
		{s(`{"Effect":"Allow","Resource":"arn:aws:s3::b"}`), legacy},
		{s(`{"Effect":"Allow","Condition":{"DateGreaterThan":{"a":"sdf"}}}`), legacy},
		{s(`{"Effect":"allow","Resource":"arn:aws:s3:us-east-1::b"}`), legacy},
		{s(`{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:error:s3:::b","Condition":{"DateGreaterThan":{"a":"sdf"}}}`), legacy},
		{s(`{"Effect":"Allow","Resource":"*","Condition":{"DateGreaterThan":{"a":{}}}}`), syntax},
		{s(`[{"Sid":"a","Effect":"Allow","Action":"s3:ListBucket","Resource":"*"},{"Sid":"a","Effect":"Allow"}]`), "Statement IDs (SID) in a single policy must be unique."},
		{s(`[{"Effect":"Deny"},{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","X":1}]`), syntax},
		{s(`{"Effect":"Allow","NotAction":"s3s:ListBucket","Resource":"a:bsdf"}`), `Partition "bsdf" is not valid for resource "arn:bsdf:*:*:*:*".`},
		{s(`{"Effect":"Allow","Action":"s3:ListBucket","Resource":["arn:error:s3:::b","arn:aws:s3::b"]}`), legacy},
		{s(`{"Effect":"Allow","Action":"iam: a b ","Resource":"arn:aws:fdsasf"}`), ""},
		// The version may follow a list, as terraform's jsonencode writes it.
		{`{"Statement":[{"Action":"s3:ListBucket","Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}`, ""},
		{`{"Statement":{"Action":"s3:ListBucket","Effect":"Allow","Resource":"*"},"Version":"2012-10-17"}`, legacy},
	})
}

// TestPositions checks where statements are against responses of AWS: behind the
// bracket or the statement before, or, without a list, behind the brace.
func TestPositions(t *testing.T) {
	t.Parallel()
	const statement = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	type span [2]policy.Position
	at := func(line, column, endLine, endColumn int) span {
		return span{{Line: line, Column: column}, {Line: endLine, Column: endColumn}}
	}
	for name, test := range map[string]struct {
		text string
		want []span
	}{
		"one": {
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}`,
			[]span{at(1, 38, 1, 167)},
		},
		"a list of one":        {`{"Version":"2012-10-17","Statement":[` + statement + `]}`, []span{at(1, 38, 1, 84)}},
		"a list of one, wider": {`{"Version": "2012-10-17", "Statement": [` + statement + `]}`, []span{at(1, 41, 1, 87)}},
		"a list":               {`{"Version": "2012-10-17", "Statement": [` + statement + `, ` + statement + `]}`, []span{at(1, 41, 1, 87), at(1, 87, 1, 135)}},
		"lines": {
			"{\n  \"Version\":\"2012-10-17\",\n  \"Statement\":{\n    \"Effect\":\"Allow\",\n    \"Action\":\"s3:PutObject\",\n    \"Resource\":\"arn:aws:s3:::my-test-bucket\"\n  }\n}",
			[]span{at(3, 16, 7, 4)},
		},
		"lines of a list": {
			"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"\n    },\n    " + statement + "\n  ]\n}",
			[]span{at(3, 17, 6, 6), at(6, 6, 7, 51)},
		},
		"characters": {`{"Id":"ü","Version":"2012-10-17","Statement":[` + statement + `]}`, []span{at(1, 47, 1, 93)}},
	} {
		document, err := policy.Parse([]byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []span
		for _, s := range document.Matching(policy.Request{Action: "dynamodb:A", Resource: "arn:aws:s3:::my-test-bucket", Context: map[string][]string{"aws:currenttime": {"2026-01-01T00:00:00Z"}}}) {
			got = append(got, span{s.Start, s.End})
		}
		if name == "lines" {
			for _, s := range document.Matching(policy.Request{Action: "s3:PutObject", Resource: "arn:aws:s3:::my-test-bucket"}) {
				got = append(got, span{s.Start, s.End})
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
