package explain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

const (
	account = mappertest.Account
	roles   = "arn:aws:iam::" + account + ":role/"
	users   = "arn:aws:iam::" + account + ":user/"
	owner   = roles + "Owner"
)

// fixed is a source that was read once.
type fixed struct {
	name     string
	snapshot source.Snapshot
}

func (f fixed) Name() string             { return f.name }
func (f fixed) Run(context.Context)      {}
func (f fixed) Current() source.Snapshot { return f.snapshot }

// setting is a cluster with one source.
type setting struct {
	options  awsauth.Options
	reserved []string
	unread   bool
	facts    explain.Facts
	verify   func() (identity.Identity, error)
	now      time.Time
	// sts is the time of STS; zero if it does not answer when it is asked for it.
	sts time.Time
}

func (s setting) clock() time.Time { return s.now }

func (s setting) date(context.Context, string) (time.Time, error) {
	if s.sts.IsZero() {
		return time.Time{}, errors.New("no STS")
	}
	return s.sts, nil
}

// of returns a cluster that maps with aws-auth, and its facts.
func (s setting) of(t testing.TB, data map[string]string) (*cluster.Cluster, explain.Facts) {
	t.Helper()
	s.options.Source, s.options.Partition = "EKSConfigMap", "aws"
	var snapshot source.Snapshot
	if !s.unread {
		read := awsauth.Parse(data, nil, s.options)
		snapshot = source.Snapshot{Table: read.Table, Problems: read.Problems}
	}
	admin, err := mapper.Owner("aws", owner)
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := token.NewHosts("aws", s.facts.Regions...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.New(cluster.Config{
		ID: "blue", Hosts: hosts, Owner: admin, Sources: []source.Source{fixed{"EKSConfigMap", snapshot}},
		Verifier: verify.Func(func(context.Context, string, token.Request) (identity.Identity, error) {
			if s.verify == nil {
				return identity.Identity{}, errors.New("no STS")
			}
			return s.verify()
		}),
		ReservedPrefixes: map[string][]string{"EKSConfigMap": s.reserved},
		Instances:        mappertest.Instances(),
		Clocks:           skew.New(skew.Config{Machine: "this machine", Date: s.date, Now: s.clock}),
		Now:              s.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	facts := s.facts
	facts.ClusterID, facts.Partition, facts.Now = "blue", "aws", s.now
	facts.MapFlags = []string{"--context", "blue"}
	facts.Asked.Place = facts.MapFlags
	facts.Reach, facts.Ready = "kubectl --context blue cluster-info", "curl --silent http://127.0.0.1:21363/readyz"
	facts.Sources = []explain.SourceFacts{{
		Name: "EKSConfigMap", Place: "aws-auth", Snapshot: snapshot, Edit: func(int) string { return "kubectl edit" },
	}}
	return c, facts
}

func (s setting) explain(t testing.TB, data map[string]string, who identity.Principal) explain.Explanation {
	t.Helper()
	c, facts := s.of(t, data)
	return explain.New(facts, c.ExplainPrincipal(t.Context(), who))
}

func role(entries ...string) map[string]string { return section("mapRoles", "rolearn", entries) }
func user(entries ...string) map[string]string { return section("mapUsers", "userarn", entries) }

func section(name, field string, arns []string) map[string]string {
	var b strings.Builder
	for _, arn := range arns {
		b.WriteString("- " + field + ": " + arn + "\n  username: admin\n  groups: [system:masters, \"odd group\"]\n")
	}
	return map[string]string{name: b.String()}
}

// TestNearMisses has one mistake for each kind of near miss.
func TestNearMisses(t *testing.T) {
	admin, bob := mappertest.Role(t, "KubernetesAdmin", "alice"), mappertest.User(t, account, "div/bob")
	sso := mappertest.Role(t, "AWSReservedSSO_View_0123456789abcdef", "alice")
	const add = "authenticator map add role --rolearn " + roles + "KubernetesAdmin --username admin --groups 'system:masters,odd group' --context blue"
	const addAlone = "authenticator map add role --rolearn " + roles + "KubernetesAdmin --username 'KubernetesAdmin:{{SessionName}}' --context blue"
	const addBob = "authenticator map add user --userarn " + users + "div/bob --username bob --context blue"
	for _, test := range []struct {
		name    string
		data    map[string]string
		who     identity.Principal
		kind    explain.Kind
		why     string // part of it
		command string
	}{
		{"one letter", role(roles + "KubernetesAdmim"), admin, explain.Spelling, "its name is one letter off: KubernetesAdmim instead of KubernetesAdmin", add},
		{"one letter, in the later of two entries", map[string]string{"mapRoles": "- rolearn: " + roles + "KubernetesAdmim\n  username: x\n" + role(roles + "kubernetesadmim")["mapRoles"]}, admin, explain.Spelling, "its name is one letter off", add},
		{"one letter, on the line of two other entries", map[string]string{"mapRoles": fmt.Sprintf("[{rolearn: '%[1]sOther'}, {rolearn: '%[1]sother'}, {rolearn: '%[1]sKubernetesAdmim', username: a, groups: [g]}]", roles)}, admin, explain.Spelling, "its name is one letter off", "authenticator map add role --rolearn " + roles + "KubernetesAdmin --username a --groups g --context blue"},
		{"two letters swapped and one missing", role(roles + "KubernetseAdmi"), admin, explain.Spelling, "two letters off", add},
		{"another account", role("arn:aws:iam::111122223333:role/KubernetesAdmin"), admin, explain.Account, "it is for account 111122223333, not for " + account, addAlone},
		{"a digit of the account", role("arn:aws:iam::231144931068:role/KubernetesAdmin"), admin, explain.Account, "its account 231144931068 is a digit or two off", add},
		{"dashes in the account", role("arn:aws:iam::2311-4493-1069:role/KubernetesAdmin"), admin, explain.Dropped, `it is ignored: "arn:aws:iam::2311-4493-1069:role/KubernetesAdmin" has "2311-4493-1069" as its account (write the account as ` + account + ")", "kubectl edit"},
		{"dashes in an account of mapAccounts", map[string]string{"mapAccounts": "- 2311-4493-1069\n"}, admin, explain.Dropped, `it is ignored: "2311-4493-1069" is not an account ID (write it as "231144931069")`, "kubectl edit"},
		{"a role path", role(roles + "team/KubernetesAdmin"), admin, explain.NoEffect, "its role has a path", add},
		{"an assumed role", role("arn:aws:sts::" + account + ":assumed-role/KubernetesAdmin/alice"), admin, explain.NoEffect, "that of a session", add},
		{"white space", role("'" + roles + "KubernetesAdmin '"), admin, explain.NoEffect, "white space", add},
		{"an assumed role and a letter", role("arn:aws:sts::" + account + ":assumed-role/KubernetesAdmim/alice"), admin, explain.Spelling, "its ARN is that of a session", add},
		{"a role path and a letter", role(roles + "team/KubernetesAdmim"), admin, explain.Spelling, "its role has the path team/", add},
		{"an assumed role without a session", role("arn:aws:sts::" + account + ":assumed-role/KubernetesAdmin"), admin, explain.Dropped, "is the ARN of an assumed role without its session", "kubectl edit"},
		{"an instance profile", role("arn:aws:iam::" + account + ":instance-profile/KubernetesAdmin"), admin, explain.Dropped, "instance profile", "kubectl edit"},
		{"a user instead of a role", user(users + "KubernetesAdmin"), admin, explain.OtherKind, "it is for a user, not for a role", addAlone},
		{"a role instead of a user", role(roles + "bob"), mappertest.User(t, account, "bob"), explain.OtherKind, "it is for a role, not for a user",
			"authenticator map add user --userarn " + users + "bob --username bob --context blue"},
		{"another path of a user", user(users + "bob"), bob, explain.UserPath, "its path is /, not /div/", addBob},
		{"an IAM group", user("arn:aws:iam::" + account + ":group/admins"), bob, explain.Group, "AWS does not return the groups of a user", addBob},
		{"another partition", role("arn:aws-cn:iam::" + account + ":role/KubernetesAdmin"), admin, explain.Dropped, "partition aws-cn", "kubectl edit"},
		{"another suffix of a permission set", role(roles + "AWSReservedSSO_View_fedcba9876543210"), sso, explain.SSOName, "another suffix", "authenticator map add role --rolearn " + sso.CanonicalARN + " --username admin --groups 'system:masters,odd group' --context blue"},
		{"a permission set by its name", role(roles + "View"), sso, explain.SSOName, "IAM Identity Center names the role", "authenticator map add role --rolearn " + sso.CanonicalARN + " --username admin --groups 'system:masters,odd group' --context blue"},
		{"a permission set without its suffix", role(roles + "AWSReservedSSO_View"), sso, explain.SSOName, "lacks the suffix: write AWSReservedSSO_View_0123456789abcdef, or an entry with sso", "authenticator map add role --rolearn " + sso.CanonicalARN + " --username admin --groups 'system:masters,odd group' --context blue"},
		{"the path of IAM Identity Center", role(roles + "aws-reserved/sso.amazonaws.com/eu-west-2/AWSReservedSSO_View_0123456789abcdef"), sso, explain.NoEffect, "path", "authenticator map add role --rolearn " + sso.CanonicalARN + " --username admin --groups 'system:masters,odd group' --context blue"},
		{"the path and another suffix", role(roles + "aws-reserved/sso.amazonaws.com/AWSReservedSSO_View_fedcba9876543210"), sso, explain.SSOName, "its role has the path", "authenticator map add role --rolearn " + sso.CanonicalARN + " --username admin --groups 'system:masters,odd group' --context blue"},
		{"a permission set with a letter off", map[string]string{"mapRoles": "- sso: {permissionSetName: Viev, accountID: '" + account + "'}\n  username: view\n"}, sso, explain.Spelling, "Viev instead of View", "authenticator map add role --rolearn " + sso.CanonicalARN + " --username view --context blue"},
		{"a permission set in another account", map[string]string{"mapRoles": "- sso: {permissionSetName: View, accountID: '111122223333'}\n  username: view\n"}, sso, explain.Account, "it is for account 111122223333, not for " + account, "authenticator map add role --rolearn " + sso.CanonicalARN + " --username 'AWSReservedSSO_View_0123456789abcdef:{{SessionName}}' --context blue"},
		{"a permission set in an account of 11 digits", map[string]string{"mapRoles": "- sso: {permissionSetName: View, accountID: '" + account[1:] + "'}\n  username: view\n"}, sso, explain.Dropped, "is not an account ID", "kubectl edit"},
		{"a misspelt placeholder", map[string]string{"mapRoles": "- rolearn: " + roles + "KubernetesAdmin\n  username: admin:{{Sessionname}}\n"}, admin, explain.Dropped, "write {{SessionName}}", "kubectl edit"},
		{"an entry in the groups of another", map[string]string{"mapRoles": "- rolearn: " + roles + "Other\n  username: o\n  groups:\n  - x\n  - rolearn: " + roles + "KubernetesAdmin\n    username: admin\n"}, admin, explain.Dropped, "indented into the groups", "kubectl edit"},
		{"a role in userarn", map[string]string{"mapUsers": "- rolearn: " + roles + "KubernetesAdmin\n  username: admin\n"}, admin, explain.Dropped, "have userarn, not rolearn", "kubectl edit"},
		{"a wildcard", role(roles + "Kubernetes*"), admin, explain.Wildcard, "has a wildcard", addAlone},
		{"curly quotes", role("“" + roles + "KubernetesAdmin”"), admin, explain.Dropped, "quotes", "kubectl edit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := setting{}.explain(t, test.data, test.who)
			if e.Result != explain.NotMapped || e.Outcome != authn.Unmapped || e.User != nil || e.Rule != nil {
				t.Fatalf("%s (%s): %+v", e.Result, e.Outcome, e)
			}
			if len(e.NearMisses) == 0 {
				t.Fatalf("no near miss: %+v", e)
			}
			if first := e.NearMisses[0]; first.Kind != test.kind || !strings.Contains(first.Why, test.why) {
				t.Errorf("the first near miss is %s: %q, want %s: %q", first.Kind, first.Why, test.kind, test.why)
			} else if _, remedy, _ := strings.Cut(first.Why, "(write "); strings.Count(remedy, account) > 1 {
				t.Errorf("the remedy is said twice: %s", first.Why)
			}
			if !strings.HasPrefix(e.Sentence, test.who.CanonicalARN+" is not mapped to a Kubernetes user; the nearest entry is map") || !strings.Contains(e.Sentence, test.why) {
				t.Error(e.Sentence)
			}
			if e.Command != test.command {
				t.Errorf("command %s\n   want %s", e.Command, test.command)
			}
		})
	}
}

// TestOverriddenAccount checks that of two equal accounts only the one that applies is a near
// miss, unless they are on one line.
func TestOverriddenAccount(t *testing.T) {
	for text, want := range map[string][]int{"- '231144931068'\n- '231144931068'\n": {2}, "['231144931068', '231144931068']": {1, 1}} {
		var lines []int
		for _, miss := range (setting{}).explain(t, map[string]string{"mapAccounts": text}, mappertest.Role(t, "KubernetesAdmin", "alice")).NearMisses {
			lines = append(lines, miss.Line)
		}
		if !slices.Equal(lines, want) {
			t.Errorf("%q: lines %v, want %v", text, lines, want)
		}
	}
}

// TestFarMisses checks that rules for others are not near misses.
func TestFarMisses(t *testing.T) {
	for name, data := range map[string]map[string]string{
		"another name":                      role(roles + "Developers"),
		"a short name with one letter off":  user(users + "xy"),
		"everything else":                   user("arn:aws:iam::111122223333:root"),
		"an IAM group of another account":   user("arn:aws:iam::111122223333:group/admins"),
		"not an ARN":                        role("admin"),
		"no ARN":                            role("''"),
		"another permission set":            role(roles + "AWSReservedSSO_Admin_0123456789abcdef"),
		"a partition and an account and so": user("arn:aws-cn:iam::111122223333:user/ab"),
	} {
		e := setting{}.explain(t, data, mappertest.User(t, account, "ab"))
		if len(e.NearMisses) > 0 || e.Sentence != users+"ab is not mapped to a Kubernetes user: no mapping is for it." {
			t.Errorf("%s: %+v", name, e)
		}
		if want := "authenticator map add user --userarn " + users + "ab --username ab --context blue"; e.Command != want {
			t.Errorf("%s: %s", name, e.Command)
		}
	}
}

// TestSimilarNameInAnotherAccount checks that a name with a typo is not a near miss
// in another account, even in one with a typo.
func TestSimilarNameInAnotherAccount(t *testing.T) {
	for _, arn := range []string{"arn:aws:iam::111122223333:role/KubernetesAdmim", "arn:aws:iam::231144931068:role/KubernetesAdmim"} {
		if e := (setting{}).explain(t, role(arn), mappertest.Role(t, "KubernetesAdmin", "alice")); len(e.NearMisses) > 0 || strings.Contains(e.Command, "--groups") {
			t.Errorf("%s: %s\n%s", arn, e.Sentence, e.Command)
		}
	}
}

// TestNodes checks who gets the mapping of a node: the session of an instance, but no
// other.
func TestNodes(t *testing.T) {
	const grant = " --username 'system:node:{{EC2PrivateDNSName}}' --groups system:bootstrappers,system:nodes --context blue"
	const noGrant = " --username 'KubernetesAdmin:{{SessionName}}' --context blue"
	const instance = "i-0123456789abcdef0"
	nodes := func(arn string) map[string]string {
		return map[string]string{"mapRoles": "- rolearn: " + arn + "\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n"}
	}
	typo, elsewhere := nodes(roles+"KubernetesAdmim"), nodes("arn:aws:iam::111122223333:role/KubernetesAdmin")
	for _, test := range []struct {
		name    string
		setting setting
		data    map[string]string
		session string
		command string
		ifNode  bool
	}{
		{"an instance without a mapping", setting{}, nil, instance, grant, true},
		{"an instance with the old ID", setting{}, nil, "i-01234567", grant, true},
		{"a person without a mapping", setting{}, nil, "i-am-alice", noGrant, false},
		{"an instance and a typo", setting{}, typo, instance, grant, false},
		{"a person and a typo", setting{}, typo, "alice", noGrant, false},
		{"somebody and a typo", setting{facts: explain.Facts{SessionUnknown: true}}, typo, "x", grant, false},
		{"an instance of another account", setting{}, elsewhere, instance, grant, true},
		{"an instance and administrators of another account", setting{}, role("arn:aws:iam::111122223333:role/KubernetesAdmin"), instance, grant, true},
		{"a person and nodes of another account", setting{}, elsewhere, "alice", noGrant, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := test.setting.explain(t, test.data, mappertest.Role(t, "KubernetesAdmin", test.session))
			if want := "authenticator map add role --rolearn " + roles + "KubernetesAdmin" + test.command; e.Command != want {
				t.Errorf("command %s\n   want %s", e.Command, want)
			}
			if strings.Contains(e.Sentence, "only if its instances are nodes") != test.ifNode {
				t.Error(e.Sentence)
			}
		})
	}
}

// TestRanking checks the order of near misses, and their bound.
func TestRanking(t *testing.T) {
	admin := mappertest.Role(t, "KubernetesAdmin", "alice")
	data := role("arn:aws:iam::111122223333:role/KubernetesAdmin", roles+"KubernetesAdm", roles+"KubernetesAdmim", roles+"team/KubernetesAdmin")
	var kinds []string
	for _, miss := range (setting{}).explain(t, data, admin).NearMisses {
		kinds = append(kinds, string(miss.Kind))
	}
	if got := strings.Join(kinds, " "); got != "NoEffect Spelling Account Spelling" {
		t.Error(got)
	}
	var many []string
	for i := range 100 {
		many = append(many, "arn:aws:iam::1111222233"+string(rune('0'+i/10))+string(rune('0'+i%10))+":role/KubernetesAdmin")
	}
	if e := (setting{}).explain(t, role(many...), admin); len(e.NearMisses) != 20 || len(e.Rules) != 101 || e.RulesTried != 101 {
		t.Errorf("%d near misses of %d rules", len(e.NearMisses), len(e.Rules))
	}
}

// TestMapped checks explanations of callers who sign in.
func TestMapped(t *testing.T) {
	strip := setting{options: awsauth.Options{RolePaths: mapper.RolePathsStrip}}
	asRole := setting{options: awsauth.Options{AssumedRoles: awsauth.AssumedRolesAsRole}}
	for _, test := range []struct {
		name     string
		setting  setting
		data     map[string]string
		who      identity.Principal
		sentence string
		eks      string // part of it; empty for none
		misses   int
	}{
		{"a user", setting{}, user(users + "bob"), mappertest.User(t, account, "bob"), users + "bob signs in as admin in groups system:masters, odd group, by mapUsers line 1 of aws-auth.", "", 0},
		{"the owner", setting{}, nil, mappertest.Role(t, "Owner", "x"), owner + " signs in as kubernetes-admin in group system:masters, by the cluster owner (--cluster-owner-arn).", "EKS has no cluster owner", 0},
		{"an account", setting{}, map[string]string{"mapAccounts": "['" + account + "']", "mapUsers": "- userarn: " + users + "rob\n  username: rob\n"}, mappertest.User(t, account, "bob"),
			users + "bob signs in as " + users + "bob in no groups, by mapAccounts line 1 of aws-auth.", "", 1},
		{"a role path", strip, role(roles + "team/Admin"), mappertest.Role(t, "Admin", "x"), roles + "Admin signs in as admin in groups system:masters, odd group, by mapRoles line 1 of aws-auth.", "--role-paths=strip", 0},
		{"an assumed role", asRole, role("arn:aws:sts::" + account + ":assumed-role/Admin/x"), mappertest.Role(t, "Admin", "x"), roles + "Admin signs in as admin in groups system:masters, odd group, by mapRoles line 1 of aws-auth.", "assumed role", 0},
		{"a permission set", setting{}, map[string]string{"mapRoles": "- sso: {permissionSetName: View, accountID: '" + account + "'}\n  username: view\n"}, mappertest.Role(t, "AWSReservedSSO_View_0123456789abcdef", "x"),
			roles + "AWSReservedSSO_View_0123456789abcdef signs in as view in no groups, by mapRoles line 1 of aws-auth.", "does not support entries with sso", 0},
		{"overridden", setting{}, role(roles+"Admin", roles+"admin", roles+"Admin2"), mappertest.Role(t, "Admin", "x"), roles + "Admin signs in as admin in groups system:masters, odd group, by mapRoles line 4 of aws-auth.", "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := test.setting.explain(t, test.data, test.who)
			if e.Result != explain.Mapped || e.User == nil || e.Rule == nil || !e.Rule.Matched || e.Command != "" {
				t.Fatalf("%+v", e)
			}
			if e.Sentence != test.sentence {
				t.Errorf("%s\nwant %s", e.Sentence, test.sentence)
			}
			if got := strings.Join(e.EKS, " "); !strings.Contains(got, test.eks) || (test.eks == "") != (got == "") {
				t.Errorf("on EKS: %q, want %q", got, test.eks)
			}
			if len(e.NearMisses) != test.misses {
				t.Errorf("near misses %+v, want %d", e.NearMisses, test.misses)
			}
		})
	}
}

// TestNoUser checks rules that match, but result in no user.
func TestNoUser(t *testing.T) {
	session := map[string]string{"mapUsers": "- userarn: " + users + "bob\n  username: x:{{SessionName}}\n  groups: [g]\n"}
	nodes := map[string]string{"mapRoles": "- rolearn: " + roles + "Node\n  username: system:node:{{EC2PrivateDNSName}}\n"}
	unknown := setting{facts: explain.Facts{SessionUnknown: true}}
	for _, test := range []struct {
		name              string
		setting           setting
		data              map[string]string
		who               identity.Principal
		result            explain.Result
		sentence, command string
		eks               string
	}{
		{"no session", setting{}, session, mappertest.User(t, account, "bob"), explain.NotMapped,
			users + "bob matches mapUsers line 1 of aws-auth, but does not sign in: its mapping needs a session name, but the identity has none.",
			"authenticator map add user --userarn " + users + "bob --username bob --groups g --context blue", `signs it in as "x:"`},
		{"a reserved prefix", setting{reserved: []string{"adm"}}, user(users + "bob"), mappertest.User(t, account, "bob"), explain.NotMapped,
			users + "bob matches mapUsers line 1 of aws-auth, but does not sign in: its username starts with a reserved prefix.",
			"authenticator map add user --userarn " + users + "bob --username bob --groups 'system:masters,odd group' --context blue", "reservedPrefixConfig"},
		{"not an instance", setting{}, nodes, mappertest.Role(t, "Node", "x"), explain.NotMapped,
			roles + "Node matches mapRoles line 1 of aws-auth, but does not sign in: its mapping needs an EC2 instance, but the session name is not an instance ID. A node uses the credentials of its instance", "aws sts get-caller-identity", ""},
		{"an unknown session", unknown, nodes, mappertest.Role(t, "Node", "x"), explain.Undecided,
			"Whether " + roles + "Node signs in depends on its session: mapRoles line 1 of aws-auth is for EC2 instances, whose session name is the instance ID.",
			"authenticator explain --cluster-id blue --arn " + roles + "Node --session i-0123456789abcdef0 --context blue", ""},
		{"EC2 does not respond", setting{}, nodes, mappertest.Role(t, "Node", "i-0badbadbadbadbad0"), explain.Undecided,
			"The server could not decide: ", "aws ec2 describe-instances --instance-ids i-0badbadbadbadbad0 --query 'Reservations[].Instances[].PrivateDnsName'", ""},
		{"not read yet", setting{unread: true}, nil, mappertest.Role(t, "Node", "x"), explain.Undecided,
			"The server could not decide: its mappings have not been read yet.", "curl --silent http://127.0.0.1:21363/readyz", ""},
		{"may not be read", setting{unread: true, facts: explain.Facts{Unreadable: errors.New("no"), Forbidden: true}}, nil, mappertest.Role(t, "Node", "x"), explain.Undecided,
			"Whether " + roles + "Node signs in is unknown, since you may not read the mappings: send this line to an administrator of cluster blue.",
			"authenticator explain --arn arn:aws:sts::" + account + ":assumed-role/Node/x", ""},
		{"may not be read, with a flag of the server", setting{unread: true, facts: explain.Facts{Forbidden: true, Asked: explain.Asked{Server: []string{"--backend-mode", "EKSConfigMap,CRD"}}}}, nil, mappertest.Role(t, "Node", "x"), explain.Undecided,
			"Whether " + roles + "Node signs in is unknown, since you may not read the mappings: send this line to an administrator of cluster blue.",
			"authenticator explain --arn arn:aws:sts::" + account + ":assumed-role/Node/x --backend-mode EKSConfigMap,CRD", ""},
		{"may not be read, of an unknown session", setting{unread: true, facts: explain.Facts{Unreadable: errors.New("no"), Forbidden: true, SessionUnknown: true}}, nil, mappertest.Role(t, "Node", "x"), explain.Undecided,
			"Whether " + roles + "Node signs in is unknown, since you may not read the mappings: send this line to an administrator of cluster blue.",
			"authenticator explain --arn " + roles + "Node", ""},
		{"cannot be read", setting{unread: true, facts: explain.Facts{Unreadable: errors.New("no route")}}, nil, mappertest.Role(t, "Node", "x"), explain.Undecided,
			"Whether " + roles + "Node signs in is unknown, since the mappings cannot be read: no route.", "kubectl --context blue cluster-info", ""},
		{"cannot be read, but an owner", setting{unread: true, facts: explain.Facts{Unreadable: errors.New("no route")}}, nil, mappertest.Role(t, "Owner", "x"), explain.Mapped,
			owner + " signs in as kubernetes-admin", "", "EKS has no cluster owner"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := test.setting.explain(t, test.data, test.who)
			if e.Result != test.result || !strings.HasPrefix(e.Sentence, test.sentence) || e.Command != test.command {
				t.Errorf("%s: %s\n%s", e.Result, e.Sentence, e.Command)
			}
			if got := strings.Join(e.EKS, " "); !strings.Contains(got, test.eks) || (test.eks == "") != (got == "") {
				t.Errorf("on EKS: %q, want %q", got, test.eks)
			}
		})
	}
}

// TestHiddenSection checks that a section that does not parse is part of the answer.
func TestHiddenSection(t *testing.T) {
	e := setting{}.explain(t, map[string]string{"mapRoles": "- rolearn: \"x", "mapUser": "- userarn: " + users + "bob\n"}, mappertest.User(t, account, "bob"))
	if !strings.Contains(e.Sentence, "a mistake hides a part of the mappings: ") || e.Command != "kubectl edit" {
		t.Errorf("%s\n%s", e.Sentence, e.Command)
	}
	var codes []mapper.Code
	for _, p := range e.Problems {
		codes = append(codes, p.Code)
	}
	if !slices.Contains(codes, mapper.SectionSyntax) || !slices.Contains(codes, mapper.UnknownSection) {
		t.Error(codes)
	}
}

// TestJSON checks that an explanation survives the way through a socket.
func TestJSON(t *testing.T) {
	for _, data := range []map[string]string{user(users + "bob"), user(users+"rob", "arn:aws:iam::"+account+":group/x"), {"mapRoles": "\""}} {
		e := setting{}.explain(t, data, mappertest.User(t, account, "bob"))
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var read explain.Explanation
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, read); diff != "" {
			t.Errorf("(-sent +read)\n%s", diff)
		}
	}
}

// TestMistakeOfPermissionSet checks that the explanation of a caller names a mistake in the
// entry with sso that maps it.
func TestMistakeOfPermissionSet(t *testing.T) {
	data := map[string]string{"mapRoles": "- sso: {permissionSetName: View, accountID: '" + account + "'}\n  username: view\n  groups: [system:master]\n"}
	e := setting{}.explain(t, data, mappertest.Role(t, "AWSReservedSSO_View_0123456789abcdef", "x"))
	if !strings.Contains(e.Sentence, "(write system:masters)") || e.Command != "kubectl edit" {
		t.Errorf("%s\n%s", e.Sentence, e.Command)
	}
}

// TestEmptiedAWSAuth checks that an explanation names the way back if aws-auth was deleted or
// emptied.
func TestEmptiedAWSAuth(t *testing.T) {
	const restore = " aws-auth maps nobody at all. If it was deleted or emptied by mistake, run: authenticator map rollback --context blue"
	bob := mappertest.User(t, account, "bob")
	for name, data := range map[string]map[string]string{"deleted": nil, "emptied": {"mapUsers": "[]"}} {
		if e := (setting{}).explain(t, data, bob); e.Sentence != users+"bob is not mapped to a Kubernetes user: no mapping is for it."+restore {
			t.Errorf("%s: %s", name, e.Sentence)
		}
	}
	for name, data := range map[string]map[string]string{"others": user(users + "somebody"), "broken": {"mapUsers": "["}, "a mistake": user("x")} {
		if e := (setting{}).explain(t, data, bob); strings.Contains(e.Sentence, "rollback") {
			t.Errorf("%s: %s", name, e.Sentence)
		}
	}
}
