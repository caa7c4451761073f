package policy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// FuzzParse checks that every policy that parses is evaluated in bounded time, and
// that the decision follows from the matching statements.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}*"}]}`,
		`{"Statement":{"Effect":"Deny","NotAction":["a:b"],"NotResource":"*","Condition":{"ForAllValues:StringLike":{"a":["*"]}}}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:*:iam::*:user/${aws:username, 'x'}"}}}}`,
		`{"Statement":{"Effect":"Deny","NotPrincipal":{"Service":["ec2.amazonaws.com"]},"Action":"s3:Get?bject","Resource":"*","Condition":{"DateLessThan":{"a":2026},"IpAddress":{"a":"::/0"},"Bool":{"a":true},"BinaryEquals":{"a":"YQ=="}}}}`,
	} {
		f.Add(seed, "s3:GetObject", "bob")
	}
	f.Fuzz(func(t *testing.T, text, action, value string) {
		for _, parse := range []func([]byte) (*policy.Document, error){policy.Parse, policy.ParseTrust, policy.ParseStoredTrust, policy.ParseResource} {
			document, err := parse([]byte(text))
			if err != nil {
				if document != nil || err.Error() == "" {
					t.Errorf("%q: %v, %v", text, document, err)
				}
				continue
			}
			request := policy.Request{Action: action, Resource: "arn:aws:s3:::" + value, Principal: bob(), Context: map[string][]string{"aws:username": {value}, "a": {value, action}}}
			for _, key := range policy.ContextKeys(document) {
				if _, known := request.Context[strings.ToLower(key)]; !known {
					request.Context[strings.ToLower(key)] = []string{value}
				}
			}
			matching := document.Matching(request)
			want := policy.ImplicitDeny
			if slices.ContainsFunc(matching, func(s policy.Statement) bool { return s.Deny }) {
				want = policy.ExplicitDeny
			} else if len(matching) > 0 {
				want = policy.Allow
			}
			if got := policy.Evaluate(request, document); got != want {
				t.Errorf("%q: %s, but %+v match", text, got, matching)
			}
			if allowsDirectly(document, request) && len(matching) == 0 {
				t.Errorf("%q allows directly, but nothing matches", text)
			}
		}
	})
}

// FuzzWildcard compares the matching of wildcards with a naive implementation.
func FuzzWildcard(f *testing.F) {
	f.Add("*", "")
	f.Add("a*b?c", "axxbyc")
	f.Add("*a*b*", "ccacbb")
	f.Add("??é*", "aéé")
	f.Add("*??", "€")
	f.Add("*??bc", "€bc")
	f.Fuzz(func(t *testing.T, pattern, value string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(value) || strings.Contains(pattern, "\x00") || len(pattern)+len(value) > 200 {
			t.Skip("not the text of a policy, or too long")
		}
		quoted, err := json.Marshal(pattern)
		if err != nil {
			t.Fatal(err)
		}
		// The first version of the language has no variables.
		document, err := policy.Parse([]byte(`{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"k":` + string(quoted) + `}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		decision := policy.Evaluate(policy.Request{Action: "a:b", Resource: "*", Context: map[string][]string{"k": {value}}}, document)
		if want := like([]rune(pattern), []rune(value)); (decision == policy.Allow) != want {
			t.Errorf("%q matches %q: %v, want %v", value, pattern, !want, want)
		}
	})
}

// like matches with a table: entry i, j says whether the first i characters of the
// pattern match the first j of the value.
func like(pattern, value []rune) bool {
	matches := make([][]bool, len(pattern)+1)
	for i := range matches {
		matches[i] = make([]bool, len(value)+1)
		for j := range matches[i] {
			switch {
			case i == 0:
				matches[i][j] = j == 0
			case pattern[i-1] == '*':
				matches[i][j] = matches[i-1][j] || j > 0 && matches[i][j-1]
			case j > 0:
				matches[i][j] = matches[i-1][j-1] && (pattern[i-1] == '?' || pattern[i-1] == value[j-1])
			}
		}
	}
	return matches[len(pattern)][len(value)]
}

// TestNestingEnds checks that nesting is bounded, as documents come from users.
func TestNestingEnds(t *testing.T) {
	t.Parallel()
	if _, err := policy.Parse([]byte(`{"Statement":` + strings.Repeat("[", 10_000_000))); err == nil {
		t.Error("unterminated nesting parsed as a policy")
	}
}

// TestWildcardsEnd checks that matching ends for patterns on which backtracking
// matchers take exponential time, or quadratic time that amounts to minutes.
func TestWildcardsEnd(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 1<<15)
	for name, test := range map[string]struct{ pattern, value string }{
		"stars":                {strings.Repeat("*a", 2000) + "b", strings.Repeat("a", 2000)},
		"one star":             {"*" + long + "b", strings.Repeat(long, 4)},
		"one star and a ?":     {"*?" + long + "b", strings.Repeat(long, 4)},
		"a variable, repeated": {"*?" + strings.Repeat("${aws:PrincipalTag/a}", 256) + "b", strings.Repeat(long, 4)},
	} {
		document := parse(t, policy.Parse, `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::`+test.pattern+`"}`)
		request := policy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::" + test.value, Context: map[string][]string{"aws:principaltag/a": {long[:256]}}}
		if got := policy.Evaluate(request, document); got != policy.ImplicitDeny {
			t.Errorf("%s: %s", name, got)
		}
		request.Resource += "b"
		if got := policy.Evaluate(request, document); got != policy.Allow {
			t.Errorf("%s, with an end that matches: %s", name, got)
		}
	}
}
