package awsauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// TestARNs checks the message and the fix for each kind of ARN that matches no principal.
func TestARNs(t *testing.T) {
	for _, test := range []struct {
		name, arn, message, fix string
		// accepted is set if aws-iam-authenticator starts with it in its
		// configuration.
		accepted bool
	}{
		{"11 digits", "arn:aws:iam::23114493106:role/B", "an account of 11 digits", "12 digits", true},
		{"14 digits", "arn:aws:iam::23114493106911:role/B", "an account of 14 digits", "12 digits", true},
		{"no account", "arn:aws:iam:::role/B", "names no account", "12 digits", true},
		{"dashes in an account", "arn:aws:iam::2311-4493-1069:role/B", `has "2311-4493-1069" as its account`, "write the account as 231144931069", true},
		{"any account", "arn:aws:iam::*:role/B", "a wildcard as its account", "each account", true},
		{"any role", role + "*", "has a wildcard", "mapAccounts", true},
		{"some roles", role + "team-*", "has a wildcard", "each of them", true},
		{"the roles of a permission set", role + "AWSReservedSSO_Admin_*", "has a wildcard", `write sso: {permissionSetName: Admin, accountID: "231144931069"}`, true},
		{"an invalid name", role + "a!b", `contains '!'`, "letters, digits", true},
		{"a group", "arn:aws:iam::231144931069:group/people", "IAM group", "mapUsers", false},
		{"an instance profile", "arn:aws:iam::231144931069:instance-profile/nodes", "instance profile", "role/", false},
		{"a policy", "arn:aws:iam::231144931069:policy/admin", "a policy", "users and roles", false},
		{"a policy of AWS", "arn:aws:iam::aws:policy/AdministratorAccess", "a policy", "users and roles", false},
		{"an identity provider", "arn:aws:iam::231144931069:oidc-provider/example.com", "identity provider", "role/", false},
		{"an MFA device", "arn:aws:iam::231144931069:mfa/bob", `"mfa"`, "role/name", false},
		{"an assumed role at iam", "arn:aws:iam::231144931069:assumed-role/B/x", "assumed role in service iam", role + "B", false},
		{"an assumed role without a session", "arn:aws:sts::231144931069:assumed-role/B", "without its session", role + "B", false},
		{"a role at sts", "arn:aws:sts::231144931069:role/B", "in service sts", role + "B", false},
		{"a federated user at iam", "arn:aws:iam::231144931069:federated-user/bob", "in service iam", "arn:aws:sts::231144931069:federated-user/bob", false},
		{"root with a slash", "arn:aws:iam::231144931069:root/x", "account's root", "arn:aws:iam::231144931069:root", true},
		{"root at sts", "arn:aws:sts::231144931069:root", "in service sts", "arn:aws:iam::231144931069:root", false},
		{"a bucket", "arn:aws:s3:::bucket", `service "s3"`, "role/name", false},
		{"a cluster", "arn:aws:eks:eu-west-2:231144931069:cluster/x", `service "eks"`, "role/name", false},
		{"a service", "ec2.amazonaws.com", "services do not sign in", "role/name", false},
		{"a region", "arn:aws:iam:eu-west-2:231144931069:role/B", `region "eu-west-2"`, "arn:aws:iam::", true},
		{"an unknown partition", "arn:amazon:iam::231144931069:role/B", `partition "amazon"`, "aws-cn", false},
		{"a misspelt partition", "arn:aws-us-govt:iam::231144931069:role/B", `partition "aws-us-govt", which does not exist`, "write arn:aws-us-gov:iam::231144931069:role/B", false},
		{"too few colons", "arn:aws:iam:231144931069:role/B", "5 of an ARN's 6 parts", "role/name", false},
		{"a colon before the name", "arn:aws:iam::231144931069:role:B", "colon before the name", role + "B", false},
		{"no name", "arn:aws:iam::231144931069:role", "no name", "role/name", true},
		{"an empty name", role, "no name", "role/name", true},
		{"an empty part of a path", role + "a//b", "empty part", "role/name", true},
		{"a name alone", "Admin", "starts with arn:", "role/name", false},
		{"an account alone", "'231144931069'", "mapAccounts", "role/name", false},
		{"a wildcard alone", "'*'", "wildcard", "role/name", false},
		{"a URL", "https://console.aws.amazon.com/iam/home#/roles/B", "URL", "role/name", false},
		{"an access key ID", "AKIAIOSFODNN7EXAMPLE", "access key ID", "role/name", false},
		{"a unique ID", "AROAIOSFODNN7EXAMPLE", "unique ID", "role/name", false},
		{"curly quotes", "“" + role + "B”", "quotes", "write " + role + "B", false},
		{"quotes in quotes", `'"` + role + `B"'`, "quotes", "write " + role + "B", false},
		{"a letter that is not ASCII", role + "Аdmin", `'А', which is not ASCII`, "type the ARN", true},
		{"a space at the end", `"` + role + `B "`, "white space", "write " + role + "B", true},
		{"a space at the beginning", `" ` + role + `B"`, "white space", "write " + role + "B", false},
		{"a line break", `"` + role + `B\n"`, "white space", "write " + role + "B", true},
		{"an invisible space", `"` + role + `B\u200b"`, "white space", "write " + role + "B", true},
		{"a placeholder", role + "<name>", "the placeholder \"<name>\"", "fill it in", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := awsauth.Parse(map[string]string{"mapRoles": "- rolearn: " + test.arn + "\n  username: b:{{SessionName}}\n  groups: [system:masters]\n"}, nil, options())
			if len(result.Problems) != 1 {
				t.Fatalf("%d problems: %v", len(result.Problems), result.Problems)
			}
			p := result.Problems[0]
			want := mapper.EntryInvalidARN
			if test.accepted {
				want = mapper.ARNMatchesNobody
			}
			if p.Code != want || p.Severity != mapper.Error || p.Line != 1 {
				t.Errorf("reported %s %s in line %d, want error %s in line 1", p.Severity, p.Code, p.Line, want)
			}
			if !strings.Contains(p.Message, test.message) || !strings.Contains(p.Fix, test.fix) {
				t.Errorf("%s (%s); want %q and %q", p.Message, p.Fix, test.message, test.fix)
			}
			for _, name := range []string{"B", "Admin", "team-x"} {
				if got := username(t, result, mappertest.Role(t, name, "x")); got != "" {
					t.Errorf("%s maps to %q, want none", name, got)
				}
			}
		})
	}
}

func TestARNOfAnotherPartition(t *testing.T) {
	for _, entry := range []string{"rolearn: arn:aws-cn:iam::231144931069:role/B", "sso: {permissionSetName: B, accountID: '231144931069', partition: aws-cn}"} {
		result := awsauth.Parse(map[string]string{"mapRoles": "- " + entry + "\n"}, nil, options())
		if len(result.Problems) != 1 || !strings.Contains(result.Problems[0].Fix, "--partition aws-cn") {
			t.Errorf("%s: %v", entry, result.Problems)
		}
	}
}

// TestAssumedRoles checks what entries for assumed roles mean, in several orders.
func TestAssumedRoles(t *testing.T) {
	const (
		own     = "- rolearn: " + role + "Admin\n  username: view:{{SessionName}}\n"
		session = "- rolearn: arn:aws:sts::231144931069:assumed-role/Admin/ci\n  username: ci:{{SessionName}}\n"
		other   = "- rolearn: arn:aws:sts::231144931069:assumed-role/Admin/cd\n  username: cd:{{SessionName}}\n"
	)
	for _, test := range []struct {
		name, text string
		means      awsauth.AssumedRoles
		username   string
		problems   string
	}{
		{"inert", session, awsauth.AssumedRolesInert, "", "error AssumedRole 1"},
		{"inert after the role", own + session, awsauth.AssumedRolesInert, "view:x", "error AssumedRole 3"},
		{"as the role", session, awsauth.AssumedRolesAsRole, "ci:x", "warning AssumedRole 1"},
		{"as the role after the role", own + session, awsauth.AssumedRolesAsRole, "view:x", "warning AssumedRole 3 warning DuplicateEntry 3"},
		{"as the role before the role", session + own, awsauth.AssumedRolesAsRole, "view:x", "warning AssumedRole 1 warning DuplicateEntry 1"},
		{"two sessions", session + other, awsauth.AssumedRolesAsRole, "cd:x", "warning AssumedRole 1 warning DuplicateEntry 1 warning AssumedRole 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := options()
			opts.AssumedRoles = test.means
			result := awsauth.Parse(map[string]string{"mapRoles": test.text}, nil, opts)
			if got := username(t, result, mappertest.Role(t, "Admin", "x")); got != test.username {
				t.Errorf("the role maps to %q, want %q", got, test.username)
			}
			if got := summary(result); got != test.problems {
				t.Errorf("reported %q, want %q", got, test.problems)
			}
			for _, p := range result.Problems {
				if test.means == awsauth.AssumedRolesAsRole && strings.Contains(p.Message, "as on EKS") {
					t.Errorf("on EKS, no session matches: %s", p.Message)
				}
			}
		})
	}
}

// summary returns the severity, code and line of each problem.
func summary(result *awsauth.Result) string {
	var problems []string
	for _, p := range result.Problems {
		problems = append(problems, fmt.Sprintf("%s %s %d", p.Severity, p.Code, p.Line))
	}
	return strings.Join(problems, " ")
}

func TestNoSSO(t *testing.T) {
	opts := options()
	opts.NoSSO = true
	result := awsauth.Parse(map[string]string{"mapRoles": "- sso: {permissionSetName: Admin, accountID: '231144931069'}\n  username: b:{{SessionName}}\n"}, nil, opts)
	if got := summary(result); got != "error SSOOff 1" {
		t.Errorf("reported %q", got)
	}
	who := mappertest.Role(t, "AWSReservedSSO_Admin_0123456789abcdef", "x")
	if got := username(t, result, who); got != "" {
		t.Errorf("the role maps to %q, want none", got)
	}
	var trace mapper.Trace
	if _, _, err := entriesOf(result).Map(t.Context(), who, &trace); err != nil || len(trace.Tried) != 1 || trace.Tried[0].Miss != mapper.MissSSOOff {
		t.Errorf("%+v, %v", trace.Tried, err)
	}
}

// TestDuplicatesAcrossSections checks that the loser is reported, with the place of the
// winner.
func TestDuplicatesAcrossSections(t *testing.T) {
	result := awsauth.Parse(map[string]string{
		"mapUsers": "- userarn: " + user + "bob\n  username: from-users\n- userarn: " + user + "ann\n- userarn: " + user + "Ann\n",
		"mapRoles": "- rolearn: " + user + "BOB\n  username: from-roles\n- sso: {permissionSetName: Admin, accountID: '231144931069'}\n- sso: {permissionSetName: admin, accountID: '231144931069'}\n",
	}, nil, options())
	if got := username(t, result, mappertest.User(t, mappertest.Account, "bob")); got != "from-roles" {
		t.Errorf("bob maps to %q, want from-roles", got)
	}
	var losers []string
	for _, p := range result.Problems {
		if p.Code == mapper.DuplicateEntry {
			losers = append(losers, fmt.Sprint(p.Section, " ", p.Line, ": ", p.Message))
		}
	}
	want := []string{
		"mapRoles 3: the entry has no effect: mapRoles line 4 is for the same principal, and the later entry wins, as on EKS",
		"mapUsers 1: the entry has no effect: mapRoles line 1 is for the same principal, and mapRoles wins over mapUsers, as on EKS",
		"mapUsers 3: the entry has no effect: mapUsers line 4 is for the same principal in another case, and the later entry wins",
	}
	if strings.Join(losers, "\n") != strings.Join(want, "\n") {
		t.Errorf("reported\n%s\nwant\n%s", strings.Join(losers, "\n"), strings.Join(want, "\n"))
	}
}
