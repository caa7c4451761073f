package mapper_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

func TestSolve(t *testing.T) {
	type values = map[string]string
	known := values{"AccountID": "231144931069"}
	for _, test := range []struct {
		template, text string
		want           values // nil: there are none
	}{
		{"admin", "admin", values{}},
		{"admin", "admins", nil},
		{"admin", "", nil},
		{"admin:{{SessionName}}", "admin:alice", values{"SessionName": "alice"}},
		{"admin:{{SessionName}}", "admin:", nil},
		{"admin:{{SessionName}}", "admin:a", nil}, // AWS wants two characters
		{"admin:{{SessionName}}", "admin:alice@example.com", nil},
		{"admin:{{SessionNameRaw}}", "admin:alice@example.com", values{"SessionNameRaw": "alice@example.com"}},
		{"admin:{{SessionName}}", "admin:alice:x", nil},
		{"{{SessionName}}", strings.Repeat("a", 64), values{"SessionName": strings.Repeat("a", 64)}},
		{"{{SessionName}}", strings.Repeat("a", 65), nil},
		{"{{AccountID}}:{{SessionName}}", "231144931069:bob", values{"SessionName": "bob"}},
		{"{{AccountID}}:{{SessionName}}", "111122223333:bob", nil},
		{"{{SessionName}}{{SessionName}}", "abcabc", values{"SessionName": "abc"}},
		{"{{SessionName}}{{SessionName}}", "abcabd", nil},
		{"{{SessionNameRaw}}/{{SessionName}}", "a@b/a-b", values{"SessionNameRaw": "a@b", "SessionName": "a-b"}},
		{"{{SessionNameRaw}}/{{SessionName}}", "a@b/a+b", nil},
		{"system:node:{{EC2PrivateDNSName}}", "system:node:ip-10-0-0-1.ec2.internal", values{"EC2PrivateDNSName": "ip-10-0-0-1.ec2.internal"}},
		{"{{AccessKeyID}}", "AKIAIOSFODNN7EXAMPLE", values{"AccessKeyID": "AKIAIOSFODNN7EXAMPLE"}},
		{"{{AccessKeyID}}", "AKIA", nil},
	} {
		got, ok := template(t, test.template).Solve(test.text, known)
		if ok != (test.want != nil) {
			t.Errorf("%s = %s: %v, %v", test.template, test.text, got, ok)
			continue
		}
		if ok {
			maps.Copy(test.want, known)
		}
		if !maps.Equal(got, test.want) {
			t.Errorf("%s = %s: %v, want %v", test.template, test.text, got, test.want)
		}
	}
}

// TestSolveInvertsExpansion expands random templates and solves the result: the values
// need not be the same, but must expand to the same text.
func TestSolveInvertsExpansion(t *testing.T) {
	parts := []string{"a", "-", "b:", "{{SessionName}}", "{{SessionNameRaw}}", "{{AccountID}}", "{{AccessKeyID}}"}
	sessions := []string{"aa", "a-b", "x@y.z", "alice"}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var b strings.Builder
		for range 1 + rng.IntN(6) {
			b.WriteString(parts[rng.IntN(len(parts))])
		}
		who := identity.Principal{
			CanonicalARN: roles + "Admin", Partition: "aws", AccountID: "231144931069",
			SessionName: sessions[rng.IntN(len(sessions))], AccessKeyID: "ASIAIOSFODNN7EXAMPLE",
		}
		text := expand(t, b.String(), who)
		values, ok := template(t, b.String()).Solve(text, map[string]string{"AccountID": who.AccountID})
		if !ok {
			t.Fatalf("%s = %s: no values", b.String(), text)
		}
		again := who
		if raw, bound := values["SessionNameRaw"]; bound {
			again.SessionName = raw
		} else if name, bound := values["SessionName"]; bound {
			again.SessionName = name
		}
		if id, bound := values["AccessKeyID"]; bound {
			again.AccessKeyID = id
		}
		if got := expand(t, b.String(), again); got != text {
			t.Fatalf("%s with %v: %s, want %s", b.String(), values, got, text)
		}
	}
}

// expand returns the username that an entry with a template results in.
func expand(t *testing.T, text string, who identity.Principal) string {
	t.Helper()
	mapped := entry(t, 1, roles+"Admin")
	mapped.Username = template(t, text)
	match, ok, err := lookup(mapper.NewTable([]mapper.Entry{mapped}, nil, 0)).Map(context.Background(), who, nil)
	if !ok || err != nil {
		t.Fatalf("%s: %v, %v", text, ok, err)
	}
	return match.Username
}

func TestApplying(t *testing.T) {
	table := mapper.NewTable([]mapper.Entry{
		entry(t, 1, roles+"Admin"),
		entry(t, 2, roles+"admin"),
		entry(t, 3, roles+"team/Dev"),
		inert(entry(t, 4, roles+"View"), mapper.MissWhiteSpace),
		sso(t, 5, "Admin"),
	}, []mapper.Account{
		{ID: "111122223333", Rule: mapper.Rule{Line: 1}}, {ID: "111122223333", Rule: mapper.Rule{Line: 2}},
	}, mapper.RolePathsIgnore)
	var arns []string
	for entry := range table.Applying() {
		arns = append(arns, entry.MatchedARN())
	}
	if got := strings.Join(arns, " "); got != roles+"admin "+roles+"AWSReservedSSO_Admin_<16 hexadecimal digits>" {
		t.Error(got)
	}
	for account := range table.ApplyingAccounts() {
		if account.Rule.Line != 2 {
			t.Errorf("account of line %d", account.Rule.Line)
		}
	}
	stripped := mapper.NewTable([]mapper.Entry{entry(t, 1, roles+"team/Dev")}, nil, mapper.RolePathsStrip)
	for entry := range stripped.Applying() {
		if entry.MatchedARN() != roles+"Dev" {
			t.Error(entry.MatchedARN())
		}
	}
}
