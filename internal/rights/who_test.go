package rights_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kube-iam/authenticator/internal/rights"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

const account = "arn:aws:iam::231144931069:"

// table reads the sections of aws-auth.
func table(t testing.TB, mapRoles, mapUsers, mapAccounts string) *mapper.Table {
	t.Helper()
	result := awsauth.Parse(map[string]string{"mapRoles": mapRoles, "mapUsers": mapUsers, "mapAccounts": mapAccounts}, nil, awsauth.Options{Source: "EKSConfigMap"})
	for _, problem := range result.Problems {
		if problem.Severity == mapper.Error {
			t.Fatal(problem)
		}
	}
	return result.Table
}

func TestWho(t *testing.T) {
	mappings := table(t, `
- rolearn: `+account+`role/Admin
  username: admin:{{SessionName}}
- rolearn: `+account+`role/Readers
  username: reader
  groups: [readers]
- rolearn: `+account+`role/Team
  username: team
  groups: ["team:{{SessionNameRaw}}"]
- sso: {permissionSetName: Ops, accountID: "231144931069"}
  username: ops
  groups: [system:masters]
- rolearn: `+account+`role/Node
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:nodes]
- rolearn: `+account+`role/Robot
  username: system:serviceaccount:ops:robot
`, `
- userarn: `+account+`user/needs-session
  username: "{{SessionName}}"
  groups: [readers]
- userarn: `+account+`user/shadowed
  username: shadowed
  groups: [readers]
- userarn: `+account+`user/both
  username: other
  groups: [readers]
`, `["231144931069", "111122223333"]`)
	policy := rights.NewPolicy([]rights.Role{
		{Name: "view", Rules: []rbacv1.PolicyRule{rule("get", "", "pods")}},
		{Name: "node", Rules: []rbacv1.PolicyRule{rule("get", "", "nodes")}},
		{Name: "discovery", Rules: []rbacv1.PolicyRule{pathRule("get", "/healthz")}},
	}, []rights.Binding{
		binding("", "viewers", "ClusterRole view", "group:readers", "user:other"),
		binding("dev", "alice", "ClusterRole view", "user:admin:alice", "group:team:bob@example.com"),
		binding("ops", "robots", "ClusterRole view", "sa:/robot", "user:"+account+"user/carol", "user:arn:aws:iam::111122223333:root", "user:"+account+"user/both"),
		binding("", "nodes", "ClusterRole node", "group:system:nodes", "user:system:node:ip-10-0-0-1.ec2.internal"),
		binding("", "discovery", "ClusterRole discovery", "group:system:authenticated"),
	})
	owner := account + "role/Owner"
	ownerAndOps := []string{
		"role/Owner kubernetes-admin all",
		"role/AWSReservedSSO_Ops_<16 hexadecimal digits> ops all",
	}
	for _, test := range []struct {
		action rights.Action
		want   []string
	}{
		{rights.Action{Verb: "get", Resource: "pods"}, append(slices.Clone(ownerAndOps),
			"role/Admin admin:alice dev/alice if map[SessionName:alice]",
			"role/Readers reader viewers",
			"role/Team team dev/alice if map[SessionNameRaw:bob@example.com]",
			"role/Robot system:serviceaccount:ops:robot ops/robots",
			"user/both other viewers",
			"user/carol user/carol ops/robots",
			"arn:aws:iam::111122223333:root arn:aws:iam::111122223333:root ops/robots",
		)},
		{rights.Action{Verb: "get", Resource: "pods", Namespace: "dev"}, append(slices.Clone(ownerAndOps),
			"role/Admin admin:alice dev/alice if map[SessionName:alice]",
			"role/Readers reader viewers",
			"role/Team team dev/alice if map[SessionNameRaw:bob@example.com]",
			"user/both other viewers",
		)},
		{rights.Action{Verb: "get", Resource: "nodes"}, append(slices.Clone(ownerAndOps),
			"role/Node system:node:{{EC2PrivateDNSName}} nodes",
		)},
		{rights.Action{Verb: "delete", Resource: "pods"}, ownerAndOps},
		{rights.Action{Verb: "get", Path: "/healthz"}, append(slices.Clone(ownerAndOps),
			"role/Admin admin:{{SessionName}} discovery",
			"role/Readers reader discovery",
			"role/Team team discovery",
			"role/Node system:node:{{EC2PrivateDNSName}} discovery",
			"role/Robot system:serviceaccount:ops:robot discovery",
			"user/both other discovery",
			"231144931069  discovery",
			"111122223333  discovery",
		)},
	} {
		// An earlier source maps the user whom this one maps too.
		earlier := table(t, "", "- userarn: "+account+"user/shadowed\n  username: powerless\n", "")
		tables := []*mapper.Table{earlier, mappings}
		holders := policy.Who(t.Context(), test.action, rights.Mappings{Owners: []string{owner}, Tables: tables, Mapper: newChain(t, []string{owner}, tables, nil)})
		var got []string
		for h := range holders {
			if strings.HasSuffix(h.Who, "shadowed") && h.Username == "powerless" {
				continue // of the earlier source
			}
			line := fmt.Sprintf("%s %s %s", strings.TrimPrefix(h.Who, account), strings.TrimPrefix(h.Username, account), nameOf(h.Grant))
			if len(h.If) > 0 {
				line += fmt.Sprint(" if ", h.If)
			}
			got = append(got, line)
			if h.Rule.Source == "" || h.Rule.Source == "EKSConfigMap" && h.Rule.Line == 0 {
				t.Errorf("%s: rule %+v", line, h.Rule)
			}
		}
		slices.Sort(got)
		if slices.Sort(test.want); !slices.Equal(got, test.want) {
			t.Errorf("%s:\n%s\nwant\n%s", test.action, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

// TestWhoPrefersTheUnconditional: a binding that always applies makes its conditions
// superfluous.
func TestWhoPrefersTheUnconditional(t *testing.T) {
	mappings := table(t, "- rolearn: "+account+"role/R\n  username: \"{{SessionName}}\"\n  groups: [g]\n", "", "")
	policy := rights.NewPolicy([]rights.Role{{Name: "view", Rules: []rbacv1.PolicyRule{rule("get", "", "pods")}}}, []rights.Binding{
		binding("", "b", "ClusterRole view", "user:alice", "group:g", "user:bob"),
		binding("", "c", "ClusterRole view", "user:alice", "user:bob", "user:alice"),
	})
	tables := []*mapper.Table{mappings}
	var got []string
	for h := range policy.Who(t.Context(), rights.Action{Verb: "get", Resource: "pods"}, rights.Mappings{Tables: tables, Mapper: newChain(t, nil, tables, nil)}) {
		got = append(got, nameOf(h.Grant)+":"+strings.Join(slices.Collect(maps.Values(h.If)), ","))
	}
	if fmt.Sprint(got) != "[b: c:alice c:bob]" {
		t.Error(got)
	}
}

// BenchmarkPolicy evaluates clusters of two sizes, where every tenth binding grants the
// action. There are 1 000 mappings, and ten of them have templates.
func BenchmarkPolicy(b *testing.B) {
	var mapRoles strings.Builder
	for i := range 1_000 {
		username := fmt.Sprint("u", i)
		if i%100 == 0 {
			username = fmt.Sprintf("admin%d:{{SessionName}}", i)
		}
		fmt.Fprintf(&mapRoles, "- {rolearn: '%srole/R%d', username: '%s', groups: [g%d]}\n", account, i, username, i)
	}
	tables := []*mapper.Table{table(b, mapRoles.String(), "", "")}
	mappings := rights.Mappings{Tables: tables, Mapper: mapper.Entries(func() *mapper.Table { return tables[0] }, nil)}
	for _, size := range []int{1_000, 10_000} {
		policy := bigPolicy(size)
		b.Run(fmt.Sprint("Of/", size), func(b *testing.B) {
			for b.Loop() {
				if grants := policy.Of(rights.User{Name: "admin0:s7", Groups: []string{"g9"}}); len(grants) != 2 {
					b.Fatal(grants)
				}
			}
		})
		b.Run(fmt.Sprint("Who/", size), func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = 0
				for range policy.Who(b.Context(), rights.Action{Verb: "get", Resource: "pods"}, mappings) {
					n++
				}
			}
			b.ReportMetric(float64(n), "holders")
		})
	}
}

func bigPolicy(size int) *rights.Policy {
	roles := []rights.Role{{Name: "view", Rules: []rbacv1.PolicyRule{rule("get list watch", "", "pods services configmaps pods/log")}}}
	var bindings []rights.Binding
	for i := range size {
		role := fmt.Sprint("Role r", i)
		if i%10 == 0 {
			role = "ClusterRole view"
		}
		namespace := fmt.Sprint("n", i)
		roles = append(roles, rights.Role{Namespace: namespace, Name: fmt.Sprint("r", i), Rules: []rbacv1.PolicyRule{rule("get list watch", "apps,", "deployments replicasets secrets")}})
		bindings = append(bindings, binding(namespace, "b", role, fmt.Sprint("user:admin0:s", i), fmt.Sprint("group:g", i)))
	}
	return rights.NewPolicy(roles, bindings)
}

func TestWhoStops(t *testing.T) {
	tables := []*mapper.Table{table(t, "- rolearn: "+account+"role/R\n  username: r\n  groups: [system:masters]\n", "", `["231144931069"]`)}
	mappings := rights.Mappings{Owners: []string{account + "role/O"}, Tables: tables, Mapper: mapper.Func(
		func(context.Context, identity.Principal, *mapper.Trace) (mapper.Match, bool, error) {
			return mapper.Match{Rule: mapper.Rule{Source: "EKSConfigMap", Section: "mapRoles", Line: 1}}, true, nil
		})}
	policy := rights.NewPolicy(nil, nil)
	for stop := range 3 {
		n := 0
		for range policy.Who(t.Context(), rights.Action{Verb: "get", Resource: "pods"}, mappings) {
			if n++; n > stop {
				break
			}
		}
		if n != min(stop+1, 2) {
			t.Errorf("%d holders", n)
		}
	}
}
