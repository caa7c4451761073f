// Package mappertest is the conformance suite for every source of mappings: whatever
// it reads, it must map as EKS does.
package mappertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Account is the account of the suite's mappings.
const Account = "231144931069"

// Data returns the mappings of the suite, as the sections of aws-auth.
func Data() map[string]string {
	return map[string]string{
		"mapRoles": `
- rolearn: arn:aws:iam::231144931069:role/Admin
  username: admin:{{SessionName}}
  groups: [system:masters]
- rolearn: arn:aws:iam::231144931069:role/Raw
  username: "{{SessionNameRaw}}"
  groups: ["account:{{AccountID}}", "key:{{AccessKeyID}}"]
- rolearn: arn:aws:iam::231144931069:role/Node
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:bootstrappers, system:nodes]
- rolearn: arn:aws:iam::231144931069:role/Twice
  username: first
- rolearn: arn:aws:iam::231144931069:role/twice
  username: second
- rolearn: arn:aws:iam::231144931069:role/team/InPath
  username: in-path
- sso: {permissionSetName: Admin, accountID: "231144931069"}
  username: sso:{{SessionName}}
- rolearn: arn:aws:iam::231144931069:role/AWSReservedSSO_Exact_0123456789abcdef
  username: exact
- sso: {permissionSetName: Exact, accountID: "231144931069"}
  username: pattern
`,
		"mapUsers": `
- userarn: arn:aws:iam::231144931069:user/div/Bob
  username: bob
  groups: [people, "of:{{AccountID}}"]
- userarn: arn:aws:iam::231144931069:user/nobody
  username: "{{SessionName}}"
`,
		"mapAccounts": `["231144931069", "012345678901"]`,
	}
}

// Instances returns the EC2 instances of the suite.
func Instances() mapper.InstanceNames { return instances{} }

const (
	knownInstance  = "i-0123456789abcdef0"
	brokenInstance = "i-0badbadbadbadbad0"
)

type instances struct{}

var errInstance = errors.New("EC2 does not respond")

func (instances) PrivateDNSName(_ context.Context, id string) (string, error) {
	if id == knownInstance {
		return "ip-10-0-1-23.eu-west-2.compute.internal", nil
	}
	return "", errInstance
}

// Run runs the suite on the table that a source read from [Data]. Current returns
// that table, and name is the source in its rules.
func Run(t *testing.T, name string, current func() *mapper.Table) {
	entries, accounts := mapper.Entries(current, Instances()), mapper.Accounts(current)
	t.Run("permission sets", func(t *testing.T) { testUsers(t, entries, permissionSets(t)) })
	t.Run("accounts", func(t *testing.T) { testAccounts(t, accounts) })
	t.Run("rules", func(t *testing.T) { testRules(t, name, entries, accounts) })
	runEntries(t, name, entries, accounts)
}

// RunObjects runs the suite on the table of a source with an object for each entry that
// has an ARN. Such a source has no permission sets, accounts and lines.
func RunObjects(t *testing.T, name string, current func() *mapper.Table) {
	runEntries(t, name, mapper.Entries(current, Instances()), mapper.Accounts(current))
}

func runEntries(t *testing.T, name string, entries, accounts mapper.Mapper) {
	t.Run("entries", func(t *testing.T) { testUsers(t, entries, users(t)) })
	t.Run("denials", func(t *testing.T) { testDenials(t, entries) })
	t.Run("unknown", func(t *testing.T) { testUnknown(t, entries) })
	t.Run("trace", func(t *testing.T) { testTrace(t, name, mapper.First(entries, accounts)) })
	t.Run("concurrently", func(t *testing.T) { testConcurrently(t, entries) })
}

// Role returns a session of a role.
func Role(t testing.TB, name, session string) identity.Principal {
	t.Helper()
	return Principal(t, Account, "arn:aws:sts::"+Account+":assumed-role/"+name+"/"+session, "AROAEXAMPLE:"+session)
}

// User returns a user.
func User(t testing.TB, account, path string) identity.Principal {
	t.Helper()
	return Principal(t, account, "arn:aws:iam::"+account+":user/"+path, "AIDAEXAMPLE")
}

// Principal returns any principal.
func Principal(t testing.TB, account, arn, userID string) identity.Principal {
	t.Helper()
	p, err := identity.New(identity.Answer{Account: account, ARN: arn, UserID: userID})
	if err != nil {
		t.Fatal(err)
	}
	p.AccessKeyID = "ASIAEXAMPLE"
	return p
}

// A user is the Kubernetes user that a principal maps to.
type user struct {
	name     string
	id       identity.Principal
	username string
	groups   []string
}

func users(t *testing.T) []user {
	return []user{
		{"a role", Role(t, "Admin", "alice"), "admin:alice", []string{"system:masters"}},
		{"a role in another case", Role(t, "aDMIN", "alice"), "admin:alice", []string{"system:masters"}},
		{"an @ in a session name", Role(t, "Admin", "alice@example.com"), "admin:alice-example.com", []string{"system:masters"}},
		{"a raw session name", Role(t, "Raw", "alice@example.com"), "alice@example.com", []string{"account:" + Account, "key:ASIAEXAMPLE"}},
		{"a session name like a placeholder", Role(t, "Raw", "a=AccountID,b"), "a=AccountID,b", []string{"account:" + Account, "key:ASIAEXAMPLE"}},
		{"a node", Role(t, "Node", knownInstance), "system:node:ip-10-0-1-23.eu-west-2.compute.internal", []string{"system:bootstrappers", "system:nodes"}},
		{"the later of two", Role(t, "Twice", "alice"), "second", nil},
		{"a user with a path", User(t, Account, "div/Bob"), "bob", []string{"people", "of:" + Account}},
		{"a user in another case", User(t, Account, "DIV/bob"), "bob", []string{"people", "of:" + Account}},
	}
}

func permissionSets(t *testing.T) []user {
	return []user{
		{"a permission set", Role(t, "AWSReservedSSO_Admin_0123456789abcdef", "alice"), "sso:alice", nil},
		{"an exact ARN before a permission set", Role(t, "AWSReservedSSO_Exact_0123456789abcdef", "alice"), "exact", nil},
		{"a permission set of the same name", Role(t, "AWSReservedSSO_Exact_fedcba9876543210", "alice"), "pattern", nil},
	}
}

func testUsers(t *testing.T, entries mapper.Mapper, users []user) {
	for _, test := range users {
		t.Run(test.name, func(t *testing.T) {
			match, ok, err := entries.Map(t.Context(), test.id, nil)
			if err != nil || !ok {
				t.Fatalf("%s: %v, %v", test.id.ARN, ok, err)
			}
			if match.Username != test.username || !slices.Equal(match.Groups, test.groups) {
				t.Errorf("%s is %q in %q, want %q in %q", test.id.ARN, match.Username, match.Groups, test.username, test.groups)
			}
		})
	}
}

func testDenials(t *testing.T, entries mapper.Mapper) {
	denied := map[string]identity.Principal{
		"a node with a session that is not an instance": Role(t, "Node", "mallory"),
		"a node with a misspelt instance":               Role(t, "Node", "i-0123456789ABCDEF0"),
		"a session name for a user, who has none":       User(t, Account, "nobody"),
	}
	for name, id := range denied {
		t.Run(name, func(t *testing.T) {
			match, ok, err := entries.Map(t.Context(), id, nil)
			if _, isDenied := errors.AsType[*mapper.DeniedError](err); !isDenied || ok {
				t.Errorf("%s: %+v, %v, %v; want a denial", id.ARN, match, ok, err)
			}
		})
	}
	t.Run("a failed instance lookup is not a denial", func(t *testing.T) {
		match, ok, err := entries.Map(t.Context(), Role(t, "Node", brokenInstance), nil)
		if !errors.Is(err, errInstance) || ok {
			t.Errorf("%+v, %v, %v; want an error", match, ok, err)
		}
		if _, isDenied := errors.AsType[*mapper.DeniedError](err); isDenied {
			t.Errorf("%v is a denial", err)
		}
	})
}

func testUnknown(t *testing.T, entries mapper.Mapper) {
	for name, id := range map[string]identity.Principal{
		"a role that is not mapped":                      Role(t, "Other", "alice"),
		"a mapped name in another account":               Principal(t, "111122223333", "arn:aws:sts::111122223333:assumed-role/Admin/alice", "AROAEXAMPLE:alice"),
		"a mapped name in another partition":             Principal(t, Account, "arn:aws-cn:sts::"+Account+":assumed-role/Admin/alice", "AROAEXAMPLE:alice"),
		"a user with a role's name":                      User(t, Account, "Admin"),
		"a user without its path":                        User(t, Account, "Bob"),
		"a role mapped with its path":                    Role(t, "InPath", "alice"),
		"a permission set that starts the same":          Role(t, "AWSReservedSSO_Admin_ReadOnly_0123456789abcdef", "alice"),
		"a permission set without its suffix":            Role(t, "AWSReservedSSO_Admin_", "alice"),
		"a permission set with a short suffix":           Role(t, "AWSReservedSSO_Admin_0123456789abcde", "alice"),
		"a permission set with a suffix not in hex":      Role(t, "AWSReservedSSO_Admin_0123456789abcdeg", "alice"),
		"a role with a permission set's name in its own": Role(t, "xAWSReservedSSO_Admin_0123456789abcdef", "alice"),
		"a user with a path that looks like a role":      User(t, Account, "x:role/AWSReservedSSO_Admin_0123456789abcdef"),
		"an account that is mapped as a whole":           User(t, "012345678901", "carol"),
		"the account's root":                             Principal(t, Account, "arn:aws:iam::"+Account+":root", Account),
	} {
		t.Run(name, func(t *testing.T) {
			if match, ok, err := entries.Map(t.Context(), id, nil); ok || err != nil {
				t.Errorf("%s is %+v, %v", id.ARN, match, err)
			}
		})
	}
}

func testAccounts(t *testing.T, accounts mapper.Mapper) {
	for arn, id := range map[string]identity.Principal{
		"arn:aws:iam::012345678901:user/Carol":       User(t, "012345678901", "Carol"),
		"arn:aws:iam::" + Account + ":role/Whatever": Role(t, "Whatever", "alice"),
	} {
		match, ok, err := accounts.Map(t.Context(), id, nil)
		if err != nil || !ok || match.Username != arn || len(match.Groups) != 0 {
			t.Errorf("%s is %+v, %v, %v; want %q in no group", id.ARN, match, ok, err, arn)
		}
	}
	if match, ok, err := accounts.Map(t.Context(), User(t, "111122223333", "mallory"), nil); ok || err != nil {
		t.Errorf("a principal of another account maps to %+v, %v", match, err)
	}
}

func testRules(t *testing.T, name string, entries, accounts mapper.Mapper) {
	for want, ask := range map[mapper.Rule]func() (mapper.Match, bool, error){
		{Source: name, Section: "mapRoles", Line: 2}: func() (mapper.Match, bool, error) {
			return entries.Map(t.Context(), Role(t, "Admin", "alice"), nil)
		},
		{Source: name, Section: "mapUsers", Line: 2}: func() (mapper.Match, bool, error) {
			return entries.Map(t.Context(), User(t, Account, "div/Bob"), nil)
		},
		{Source: name, Section: "mapAccounts", Line: 1}: func() (mapper.Match, bool, error) {
			return accounts.Map(t.Context(), User(t, Account, "x"), nil)
		},
	} {
		match, ok, err := ask()
		if !ok || err != nil {
			t.Errorf("%+v: %v, %v", want, ok, err)
		}
		// Lines may be counted in the section or in the file.
		if match.Rule.Source != want.Source || match.Rule.Section != want.Section || match.Rule.Line < want.Line {
			t.Errorf("the rule is %+v, want %+v", match.Rule, want)
		}
	}
}

// testTrace checks that a trace does not change the result, and that it names at most
// one rule as the match.
func testTrace(t *testing.T, name string, all mapper.Mapper) {
	for _, who := range []identity.Principal{
		Role(t, "Admin", "alice"), Role(t, "Node", "mallory"), Role(t, "Twice", "alice"), Role(t, "InPath", "alice"), Role(t, "Other", "alice"),
		Role(t, "AWSReservedSSO_Exact_0123456789abcdef", "alice"), User(t, "012345678901", "carol"), User(t, "111122223333", "mallory"),
	} {
		match, ok, err := all.Map(t.Context(), who, nil)
		var trace mapper.Trace
		traced, tracedOK, tracedErr := all.Map(t.Context(), who, &trace)
		if traced.Username != match.Username || tracedOK != ok || (tracedErr == nil) != (err == nil) {
			t.Errorf("%s is %+v, %v, %v; with a trace it is %+v, %v, %v", who.ARN, match, ok, err, traced, tracedOK, tracedErr)
		}
		matched := 0
		for _, tried := range trace.Tried {
			if tried.Rule.Source != name || tried.For == "" || tried.Matched != (tried.Reason == "") {
				t.Errorf("%s: %+v is incomplete", who.ARN, tried)
			}
			if tried.Matched {
				matched++
			}
		}
		if matched > 1 || (matched == 1) != ok || len(trace.Tried) == 0 {
			t.Errorf("%s: %d of %d rules matched, but the result is %v", who.ARN, matched, len(trace.Tried), ok)
		}
	}
}

// testConcurrently gives the race detector something to find.
func testConcurrently(t *testing.T, entries mapper.Mapper) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			session := fmt.Sprintf("session-%d", i)
			id := Role(t, "Admin", session)
			for range 100 {
				match, ok, err := entries.Map(t.Context(), id, nil)
				if !ok || err != nil || match.Username != "admin:"+session {
					t.Errorf("%s is %+v, %v, %v", id.ARN, match, ok, err)
					return
				}
			}
		})
	}
	all.Wait()
}
