package mapper_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// TestTraceSaysWhyEachRuleDoesNotMatch checks one rule at a time.
func TestTraceSaysWhyEachRuleDoesNotMatch(t *testing.T) {
	admin := mappertest.Role(t, "Admin", "x")
	ssoAdmin := mappertest.Role(t, "AWSReservedSSO_Admin_0123456789abcdef", "x")
	bob := mappertest.User(t, mappertest.Account, "div/bob")
	session := entry(t, 1, roles+"Admin")
	session.Username = template(t, "{{EC2PrivateDNSName}}")
	cn := sso(t, 1, "Admin")
	cn.SSO.Partition = "aws-cn"
	for _, test := range []struct {
		name    string
		entries []mapper.Entry
		who     identity.Principal
		miss    mapper.Miss // of line 1; empty if it matches
		reason  string      // part of it
	}{
		{"a match", []mapper.Entry{entry(t, 1, roles+"admin")}, admin, "", ""},
		{"partition", []mapper.Entry{entry(t, 1, "arn:aws-cn:iam::231144931069:role/Admin")}, admin, mapper.MissPartition, "partition aws-cn, but the principal is in partition aws"},
		{"account", []mapper.Entry{entry(t, 1, "arn:aws:iam::111122223333:role/Admin")}, admin, mapper.MissAccount, "account 111122223333, but the principal is in account 231144931069"},
		{"a user instead of a role", []mapper.Entry{entry(t, 1, "arn:aws:iam::231144931069:user/Admin")}, admin, mapper.MissKind, "for user Admin, but the principal is role Admin"},
		{"root instead of a role", []mapper.Entry{entry(t, 1, "arn:aws:iam::231144931069:root")}, admin, mapper.MissKind, "for root, but the principal is role Admin"},
		{"name", []mapper.Entry{entry(t, 1, roles+"Admins")}, admin, mapper.MissName, "for role Admins, but the principal is role Admin"},
		{"a user's path", []mapper.Entry{entry(t, 1, "arn:aws:iam::231144931069:user/bob")}, bob, mapper.MissUserPath, "the path is part of the ARN"},
		{"a role's path", []mapper.Entry{entry(t, 1, roles+"team/Admin")}, admin, mapper.MissRolePath, "write " + roles + "Admin"},
		{"an assumed role", []mapper.Entry{inert(entry(t, 1, roles+"Admin"), mapper.MissAssumedRole)}, admin, mapper.MissAssumedRole, "write " + roles + "Admin"},
		{"white space", []mapper.Entry{inert(entry(t, 1, roles+"Admin"), mapper.MissWhiteSpace)}, admin, mapper.MissWhiteSpace, "write " + roles + "Admin"},
		{"sso turned off", []mapper.Entry{inert(sso(t, 1, "Admin"), mapper.MissSSOOff)}, ssoAdmin, mapper.MissSSOOff, "turned off"},
		{"overridden", []mapper.Entry{entry(t, 1, roles+"Admin"), entry(t, 2, roles+"admin")}, admin, mapper.MissOverridden, "mapRoles line 2"},
		{"outranked", []mapper.Entry{sso(t, 1, "Admin"), entry(t, 2, ssoAdmin.CanonicalARN)}, ssoAdmin, mapper.MissOutranked, "exact ARN"},
		{"a permission set matches", []mapper.Entry{sso(t, 1, "Admin")}, ssoAdmin, "", ""},
		{"another permission set", []mapper.Entry{sso(t, 1, "View")}, ssoAdmin, mapper.MissPermissionSet, "permission set View"},
		{"not a permission set's role", []mapper.Entry{sso(t, 1, "Admin")}, admin, mapper.MissPermissionSet, "AWSReservedSSO_"},
		{"a permission set of another partition", []mapper.Entry{cn}, ssoAdmin, mapper.MissPartition, "aws-cn"},
		{"a permission set instead of a user", []mapper.Entry{sso(t, 1, "Admin")}, bob, mapper.MissKind, "user div/bob"},
		{"denied", []mapper.Entry{session}, admin, mapper.MissDenied, "instance ID"},
		{"undecided", []mapper.Entry{session}, mappertest.Role(t, "Admin", "i-0123456789abcdef0"), mapper.MissUndecided, "EC2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var trace mapper.Trace
			asTraced(t, lookup(mapper.NewTable(test.entries, nil, 0)), test.who, &trace)
			if len(trace.Tried) != len(test.entries) {
				t.Fatalf("%d rules were tried, want %d: %+v", len(trace.Tried), len(test.entries), trace.Tried)
			}
			for _, tried := range trace.Tried {
				if tried.Matched != (tried.Miss == "") || tried.Matched != (tried.Reason == "") || tried.For == "" {
					t.Errorf("%+v is incomplete", tried)
				}
				if tried.Rule.Line == 1 && (tried.Miss != test.miss || !strings.Contains(tried.Reason, test.reason)) {
					t.Errorf("the miss of line 1 is %q: %q; want %q: %q", tried.Miss, tried.Reason, test.miss, test.reason)
				}
			}
		})
	}
}

// asTraced maps a principal with and without a trace, and fails the test if the
// results differ.
func asTraced(t *testing.T, m mapper.Mapper, who identity.Principal, trace *mapper.Trace) {
	t.Helper()
	match, ok, err := m.Map(t.Context(), who, nil)
	traced, tracedOK, tracedErr := m.Map(t.Context(), who, trace)
	if match.Username != traced.Username || ok != tracedOK || (err == nil) != (tracedErr == nil) {
		t.Errorf("%+v, %v, %v; with a trace %+v, %v, %v", match, ok, err, traced, tracedOK, tracedErr)
	}
}

// TestTraceOfAChain checks the trace of a chain of the owner, two sources, one with a
// reserved prefix, and their accounts.
func TestTraceOfAChain(t *testing.T) {
	owner, err := mapper.Owner("aws", roles+"Owner")
	if err != nil {
		t.Fatal(err)
	}
	account := func(id string) mapper.Account {
		return mapper.Account{ID: id, Rule: mapper.Rule{Source: "test", Section: "mapAccounts", Line: 1}}
	}
	first := mapper.NewTable([]mapper.Entry{entry(t, 1, roles+"Other")}, []mapper.Account{account("111122223333"), account("012345678901")}, 0)
	second := mapper.NewTable([]mapper.Entry{entry(t, 2, roles+"Admin")}, []mapper.Account{account(mappertest.Account)}, 0)
	accounts := func(table *mapper.Table) mapper.Mapper {
		return mapper.Accounts(func() *mapper.Table { return table })
	}
	for _, test := range []struct {
		name, role string
		chain      mapper.Mapper
		want       string
	}{
		{"the second source", "Admin", mapper.First(owner, lookup(first), lookup(second), accounts(first), accounts(second)), "cluster owner:Name mapRoles:Name mapRoles:"},
		{"an account", "Nobody", mapper.First(owner, lookup(first), lookup(second), accounts(first), accounts(second)),
			"cluster owner:Name mapRoles:Name mapRoles:Name mapAccounts:Account mapAccounts:Account mapAccounts:"},
		{"the owner", "Owner", mapper.First(owner, lookup(first)), "cluster owner:"},
		{"a reserved prefix", "Admin", mapper.First(owner, mapper.Reserve(lookup(second), []string{"line"}), lookup(first)), "cluster owner:Name mapRoles:Reserved"},
		{"a source that has not been read yet", "Admin", mapper.First(owner, lookup(nil), lookup(second)), "cluster owner:Name :NotSynced"},
		{"accounts that have not been read yet", "Admin", accounts(nil), ":NotSynced"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var trace mapper.Trace
			asTraced(t, test.chain, mappertest.Role(t, test.role, "x"), &trace)
			var tried []string
			for _, rule := range trace.Tried {
				at := rule.Rule.Section
				if at == "" {
					at = rule.Rule.Source
				}
				tried = append(tried, at+":"+string(rule.Miss))
			}
			if got := strings.Join(tried, " "); got != test.want {
				t.Errorf("tried %s, want %s", got, test.want)
			}
		})
	}
}

func TestTraceOfAnAccountListedTwice(t *testing.T) {
	rule := func(line int) mapper.Rule {
		return mapper.Rule{Source: "test", Section: "mapAccounts", Line: line}
	}
	table := mapper.NewTable(nil, []mapper.Account{{ID: mappertest.Account, Rule: rule(1)}, {ID: mappertest.Account, Rule: rule(2)}}, 0)
	var trace mapper.Trace
	asTraced(t, mapper.Accounts(func() *mapper.Table { return table }), mappertest.User(t, mappertest.Account, "bob"), &trace)
	if len(trace.Tried) != 2 || trace.Tried[0].Miss != mapper.MissOverridden || !trace.Tried[1].Matched {
		t.Errorf("%+v", trace.Tried)
	}
}

// TestNoTraceCostsNothing checks that a lookup without a trace allocates nothing more
// than it needs.
func TestNoTraceCostsNothing(t *testing.T) {
	table := mapper.NewTable([]mapper.Entry{entry(t, 1, roles+"admin")}, []mapper.Account{{ID: "111122223333"}}, 0)
	static := mapper.Func(func(context.Context, identity.Principal, *mapper.Trace) (mapper.Match, bool, error) {
		return mapper.Match{}, false, nil
	})
	for name, test := range map[string]struct {
		m    mapper.Mapper
		who  identity.Principal
		want float64
	}{
		// One allocation for the lower-case ARN, unless it is in lower case already.
		"a match":     {lookup(table), mappertest.Role(t, "admin", "x"), 0},
		"no match":    {lookup(table), mappertest.Role(t, "Other", "x"), 1},
		"an account":  {mapper.Accounts(func() *mapper.Table { return table }), mappertest.User(t, "111122223333", "bob"), 0},
		"a chain":     {mapper.First(static, lookup(table)), mappertest.Role(t, "admin", "x"), 0},
		"with guards": {mapper.Reserve(lookup(table), []string{"system:"}), mappertest.Role(t, "admin", "x"), 0},
	} {
		ctx := t.Context()
		if got := testing.AllocsPerRun(100, func() {
			if _, _, err := test.m.Map(ctx, test.who, nil); err != nil && !errors.Is(err, mapper.ErrNotSynced) {
				t.Fatal(err)
			}
		}); got != test.want {
			t.Errorf("%s: %v allocations, want %v", name, got, test.want)
		}
	}
}
