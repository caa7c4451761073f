package explain_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

func signedAt() time.Time { return time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC) }

const signature = "5ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7"

func urlFor(host, region string) string {
	return "https://" + host + "/?Action=GetCallerIdentity&Version=2011-06-15" +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIATLABCDEFGHIJKLM2%2F20261123%2F" + region + "%2Fsts%2Faws4_request" +
		"&X-Amz-Date=20261123T082457Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=" + signature
}

// TestToken checks the explanation of every kind of token.
func TestToken(t *testing.T) {
	good := urlFor("sts.eu-west-2.amazonaws.com", "eu-west-2")
	proven := func() (identity.Identity, error) {
		return identity.Proven(identity.Answer{Account: account, ARN: users + "bob", UserID: "AIDAEXAMPLE"}, "AKIATLABCDEFGHIJKLM2")
	}
	fails := func(err error) func() (identity.Identity, error) {
		return func() (identity.Identity, error) { return identity.Identity{}, err }
	}
	refuses := func(code string) func() (identity.Identity, error) {
		return fails(&verify.RefusedError{Status: 403, Code: code})
	}
	const again = "authenticator explain --cluster-id blue --as-me --context blue"
	for _, test := range []struct {
		name, bearer      string
		regions           string
		after             time.Duration
		verify            func() (identity.Identity, error)
		outcome           authn.Outcome
		sentence, command string
		token             string // as JSON, without the times
	}{
		{"good", token.Encode(good), "", 3 * time.Second, proven, authn.Mapped,
			users + "bob signs in as admin in groups system:masters, odd group, by mapUsers line 1 of aws-auth.", "",
			`{"accessKeyID":"AKIATLABCDEFGHIJKLM2","region":"eu-west-2","host":"sts.eu-west-2.amazonaws.com","ageSeconds":3,"verified":true}`},
		{"expired", token.Encode(good), "", 20 * time.Minute, proven, authn.Expired,
			"The token is not valid: the token was signed 20m0s ago, or the clock of the machine that made it is up to 20m0s behind that of AWS STS; the clock of this machine is right.", again,
			`{"accessKeyID":"AKIATLABCDEFGHIJKLM2","region":"eu-west-2","host":"sts.eu-west-2.amazonaws.com","ageSeconds":1200,"clocks":{"machine":"this machine","ageSeconds":1200,"aheadSeconds":0},"verified":false,"problem":"token was signed more than 15 minutes ago: the token was signed 20m0s ago, or the clock of the machine that made it is up to 20m0s behind that of AWS STS; the clock of this machine is right"}`},
		{"from the future", token.Encode(good), "", -20 * time.Minute, proven, authn.Malformed,
			"The token is not valid: the clock of the machine that made the token is at least 20m0s ahead of that of AWS STS; the clock of this machine is right.", "timedatectl set-ntp true",
			`{"accessKeyID":"AKIATLABCDEFGHIJKLM2","region":"eu-west-2","host":"sts.eu-west-2.amazonaws.com","ageSeconds":-1200,"clocks":{"machine":"this machine","ageSeconds":-1200,"aheadSeconds":0},"verified":false,"problem":"token was signed more than 15 minutes in the future: the clock of the machine that made the token is at least 20m0s ahead of that of AWS STS; the clock of this machine is right"}`},
		{"another region", token.Encode(good), "eu-west-1", 0, proven, authn.Malformed,
			"The token is not valid: it is for region eu-west-2, but the server accepts only eu-west-1 (--sts-region).", "authenticator explain --cluster-id blue --as-me --region eu-west-1 --context blue",
			`{"host":"sts.eu-west-2.amazonaws.com","verified":false,"problem":"URL's host is not an STS endpoint of the configured partition and regions"}`},
		{"another partition", token.Encode(urlFor("sts.cn-north-1.amazonaws.com.cn", "cn-north-1")), "", 0, proven, authn.Malformed,
			"The token is not valid: its STS host sts.cn-north-1.amazonaws.com.cn is in partition aws-cn, but the cluster is in partition aws.", again,
			`{"host":"sts.cn-north-1.amazonaws.com.cn","verified":false,"problem":"URL's host is not an STS endpoint of the configured partition and regions"}`},
		{"not AWS", token.Encode(urlFor("sts.example.com", "eu-west-2")), "", 0, proven, authn.Malformed,
			`The token is not valid: its host "sts.example.com" is not an STS endpoint of AWS.`, again,
			`{"host":"sts.example.com","verified":false,"problem":"URL's host is not an STS endpoint of the configured partition and regions"}`},
		{"no region", token.Encode(urlFor("sts.mars-1.amazonaws.com", "mars-1")), "", 0, proven, authn.Malformed,
			`The token is not valid: its host "sts.mars-1.amazonaws.com" is not an STS endpoint of AWS.`, again,
			`{"host":"sts.mars-1.amazonaws.com","verified":false,"problem":"URL's host is not an STS endpoint of the configured partition and regions"}`},
		{"a secret in place of the host", token.Encode("https://X-Amz-Signature=" + signature + "/?x=y"), "", 0, proven, authn.Malformed,
			`The token is not valid: its host "" is not an STS endpoint of AWS.`, again,
			`{"verified":false,"problem":"URL's host is not an STS endpoint of the configured partition and regions"}`},
		{"another secret in place of the host", token.Encode("https://" + signature + "/?x=y"), "", 0, proven, authn.Malformed,
			`The token is not valid: its host "" is not an STS endpoint of AWS.`, again,
			`{"verified":false,"problem":"URL's host is not an STS endpoint of the configured partition and regions"}`},
		{"not a token", "eyJhbGciOiJSUzI1NiJ9", "", 0, proven, authn.Malformed,
			`The token is not valid, and STS was not asked: token does not start with "k8s-aws-v1.".`, again,
			`{"verified":false,"problem":"token does not start with \"k8s-aws-v1.\""}`},
		{"too long", token.Prefix + strings.Repeat("A", token.MaxLength), "", 0, proven, authn.Malformed,
			`The token is not valid, and STS was not asked: token is longer than 16384 bytes.`, again,
			`{"verified":false,"problem":"token is longer than 16384 bytes"}`},
		{"another cluster", token.Encode(good), "", 0, refuses("SignatureDoesNotMatch"), authn.Refused,
			"STS refused the token (SignatureDoesNotMatch): it was made for another cluster than blue, or with a wrong secret access key.", again,
			`{"accessKeyID":"AKIATLABCDEFGHIJKLM2","region":"eu-west-2","host":"sts.eu-west-2.amazonaws.com","ageSeconds":0,"verified":false,"problem":"STS refused the token: SignatureDoesNotMatch (HTTP 403)"}`},
		{"an inactive key", token.Encode(good), "", 0, refuses("InvalidClientTokenId"), authn.Refused,
			"STS refused the token (InvalidClientTokenId): access key AKIATLABCDEFGHIJKLM2 is inactive or deleted", "aws sts get-caller-identity", ""},
		{"an expired session", token.Encode(good), "", 0, refuses("ExpiredToken"), authn.Refused,
			"STS refused the token (ExpiredToken): the AWS session that signed it has expired.", "aws sso login", ""},
		{"another code", token.Encode(good), "", 0, refuses("AccessDenied"), authn.Refused, "STS refused the token: AccessDenied.", "aws sts get-caller-identity", ""},
		{"throttled", token.Encode(good), "", 0, fails(&verify.ThrottledError{Status: 400, Code: "Throttling"}), authn.Throttled, "The server could not decide: AWS STS throttles its requests. Try again in a few seconds:", again, ""},
		{"saturated", token.Encode(good), "", 0, fails(limit.ErrSaturated), authn.Saturated, "The server could not decide: too many tokens wait for AWS STS. Try again in a few seconds:", again, ""},
		{"unreachable", token.Encode(good), "", 0, fails(&verify.UnreachableError{Err: errors.New("no route")}), authn.Unreachable, "The server could not decide: reaching STS: no route.", "curl --head https://sts.eu-west-2.amazonaws.com", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := setting{verify: test.verify, now: signedAt().Add(test.after), sts: signedAt().Add(test.after)}
			if test.regions != "" {
				s.facts.Regions = []string{test.regions}
			}
			c, facts := s.of(t, user(users+"bob"))
			e := explain.New(facts, c.Explain(t.Context(), test.bearer))
			if e.Outcome != test.outcome || !strings.HasPrefix(e.Sentence, test.sentence) || e.Command != test.command {
				t.Errorf("%s: %s\n%s", e.Outcome, e.Sentence, e.Command)
			}
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{signature, test.bearer, "X-Amz-"} {
				if strings.Contains(string(text), secret) {
					t.Errorf("%s contains %s", text, secret)
				}
			}
			if e.Token == nil || (e.Token.Signed == nil) != (e.Token.AgeSeconds == nil) || (e.Principal == nil) == e.Token.Verified {
				t.Fatalf("token %+v of %+v", e.Token, e.Principal)
			}
			e.Token.Signed, e.Token.Expires = nil, nil
			if text, err = json.Marshal(e.Token); err != nil || test.token != "" && string(text) != test.token {
				t.Errorf("token %s\n want %s (%v)", text, test.token, err)
			}
		})
	}
}

// TestTokenAgain checks that the commands about the token of a person have the flags with
// which the person asked.
func TestTokenAgain(t *testing.T) {
	t.Parallel()
	const again = "authenticator explain --cluster-id blue --as-me --profile 'my profile'"
	const flags = " --role " + roles + "Dev --state-dir '/var/my state' --partition aws"
	for code, want := range map[string]string{
		"SignatureDoesNotMatch": again + " --region eu-west-2" + flags,
		"InvalidClientTokenId":  "aws sts get-caller-identity --profile 'my profile'",
		"ExpiredToken":          "aws sso login --profile 'my profile'",
		"":                      again + " --region eu-west-1" + flags, // the region is not accepted
	} {
		s := setting{now: signedAt(), sts: signedAt(), verify: func() (identity.Identity, error) {
			return identity.Identity{}, &verify.RefusedError{Status: 403, Code: code}
		}}
		if code == "" {
			s.facts.Regions = []string{"eu-west-1"}
		}
		c, facts := s.of(t, nil)
		facts.Asked = explain.Asked{
			Profile: "my profile", Region: "eu-west-2", Role: roles + "Dev",
			Place: []string{"--state-dir", "/var/my state"}, Server: []string{"--partition", "aws"},
		}
		e := explain.New(facts, c.Explain(t.Context(), token.Encode(urlFor("sts.eu-west-2.amazonaws.com", "eu-west-2"))))
		if e.Command != want {
			t.Errorf("%s: %s\nwant %s", code, e.Command, want)
		}
	}
}
