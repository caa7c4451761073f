package identity_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/identity"
)

const account = "231144931069"

func TestNew(t *testing.T) {
	for _, test := range []struct {
		name, account, arn, userID string
		want                       identity.Principal
	}{
		{"user", account, "arn:aws:iam::231144931069:user/div/bob", "AIDAEXAMPLE", identity.Principal{
			CanonicalARN: "arn:aws:iam::231144931069:user/div/bob", Partition: "aws", PrincipalID: "AIDAEXAMPLE",
		}},
		{"assumed role", account, "arn:aws:sts::231144931069:assumed-role/admin/alice@example.com", "AROAEXAMPLE:alice@example.com", identity.Principal{
			CanonicalARN: "arn:aws:iam::231144931069:role/admin", Partition: "aws", PrincipalID: "AROAEXAMPLE", SessionName: "alice@example.com",
		}},
		{"role of an EC2 instance", account, "arn:aws:sts::231144931069:assumed-role/node/i-0123456789abcdef0", "AROAEXAMPLE:i-0123456789abcdef0", identity.Principal{
			CanonicalARN: "arn:aws:iam::231144931069:role/node", Partition: "aws", PrincipalID: "AROAEXAMPLE", SessionName: "i-0123456789abcdef0",
		}},
		{"EC2 instance identity", account, "arn:aws:sts::231144931069:assumed-role/aws:ec2-instance/i-0123456789abcdef0", "231144931069:aws:ec2-instance:i-0123456789abcdef0", identity.Principal{
			CanonicalARN: "arn:aws:iam::231144931069:role/aws:ec2-instance", Partition: "aws", PrincipalID: "231144931069:aws:ec2-instance", SessionName: "i-0123456789abcdef0",
		}},
		{"federated user", account, "arn:aws:sts::231144931069:federated-user/bob", "231144931069:bob", identity.Principal{
			CanonicalARN: "arn:aws:sts::231144931069:federated-user/bob", Partition: "aws", PrincipalID: "231144931069:bob",
		}},
		{"root", account, "arn:aws:iam::231144931069:root", account, identity.Principal{
			CanonicalARN: "arn:aws:iam::231144931069:root", Partition: "aws", PrincipalID: account,
		}},
		{"another partition", account, "arn:aws-us-gov:iam::231144931069:user/bob", "AIDAEXAMPLE", identity.Principal{
			CanonicalARN: "arn:aws-us-gov:iam::231144931069:user/bob", Partition: "aws-us-gov", PrincipalID: "AIDAEXAMPLE",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.want.ARN, test.want.AccountID, test.want.UserID = test.arn, test.account, test.userID
			got, err := identity.New(identity.Answer{Account: test.account, ARN: test.arn, UserID: test.userID})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for name, answer := range map[string][3]string{
		"nothing":                      {"", "", ""},
		"no ARN":                       {account, "bob", "AIDAEXAMPLE"},
		"an ARN of another account":    {account, "arn:aws:iam::111122223333:user/bob", "AIDAEXAMPLE"},
		"no account":                   {"", "arn:aws:iam::231144931069:user/bob", "AIDAEXAMPLE"},
		"no user ID":                   {account, "arn:aws:iam::231144931069:user/bob", ""},
		"a role itself":                {account, "arn:aws:iam::231144931069:role/admin", "AROAEXAMPLE"},
		"a role without a session":     {account, "arn:aws:sts::231144931069:assumed-role/admin", "AROAEXAMPLE"},
		"an empty session":             {account, "arn:aws:sts::231144931069:assumed-role/admin/", "AROAEXAMPLE:"},
		"a user ID of another name":    {account, "arn:aws:sts::231144931069:assumed-role/admin/alice", "AROAEXAMPLE:bob"},
		"a user ID without a role":     {account, "arn:aws:sts::231144931069:assumed-role/admin/alice", ":alice"},
		"a user ID without session":    {account, "arn:aws:sts::231144931069:assumed-role/admin/alice", "AROAEXAMPLE"},
		"another resource":             {account, "arn:aws:iam::231144931069:group/people", "AGPAEXAMPLE"},
		"another service":              {account, "arn:aws:s3::231144931069:user/bob", "AIDAEXAMPLE"},
		"a region":                     {account, "arn:aws:iam:eu-west-2:231144931069:user/bob", "AIDAEXAMPLE"},
		"a partition that is not":      {account, "arn:amazon:iam::231144931069:user/bob", "AIDAEXAMPLE"},
		"an account of 11 digits":      {"23114493106", "arn:aws:iam::23114493106:user/bob", "AIDAEXAMPLE"},
		"a look-alike":                 {account, "arn:aws:iam::231144931069:user/bоb", "AIDAEXAMPLE"},
		"a line break":                 {account, "arn:aws:iam::231144931069:user/bob\n", "AIDAEXAMPLE"},
		"an empty name in the path":    {account, "arn:aws:iam::231144931069:user//bob", "AIDAEXAMPLE"},
		"a user's ARN at STS":          {account, "arn:aws:sts::231144931069:user/bob", "AIDAEXAMPLE"},
		"an assumed role's ARN at IAM": {account, "arn:aws:iam::231144931069:assumed-role/admin/alice", "AROAEXAMPLE:alice"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := identity.New(identity.Answer{Account: answer[0], ARN: answer[1], UserID: answer[2]})
			if !errors.Is(err, identity.ErrInvalid) {
				t.Errorf("%+v, %v", got, err)
			}
			if got != (identity.Principal{}) {
				t.Errorf("refused, and yet %+v is answered", got)
			}
		})
	}
}

// FuzzCanonicalize checks that canonicalizing a canonical ARN changes nothing, and
// that the account stays the same.
func FuzzCanonicalize(f *testing.F) {
	f.Add("arn:aws:sts::231144931069:assumed-role/admin/alice")
	f.Add("arn:aws:iam::231144931069:user/div/bob")
	f.Add("arn:aws:sts::231144931069:assumed-role/aws:ec2-instance/i-0123456789abcdef0")
	f.Add("arn:aws:iam::231144931069:root")
	f.Fuzz(func(t *testing.T, arn string) {
		canonical, kind, err := identity.Canonicalize(arn)
		if err != nil {
			if canonical != "" || kind != identity.KindUnknown {
				t.Errorf("%q is refused, and yet %q is answered", arn, canonical)
			}
			return
		}
		again, sameKind, err := identity.Canonicalize(canonical)
		if err != nil || again != canonical || sameKind != kind {
			t.Errorf("%q is %q, which is %q (%v)", arn, canonical, again, err)
		}
		if strings.Split(arn, ":")[4] != strings.Split(canonical, ":")[4] {
			t.Errorf("%q is %q: of another account", arn, canonical)
		}
	})
}
