package lockout_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

const (
	admin = "- rolearn: arn:aws:iam::111122223333:role/Admin\n  username: admin\n  groups: [system:masters]\n"
	other = "- rolearn: arn:aws:iam::111122223333:role/Other\n  username: other\n  groups: [system:masters]\n"
	node  = "- rolearn: arn:aws:iam::111122223333:role/Node\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:nodes]\n"
	one   = "- rolearn: arn:aws:iam::111122223333:role/One\n  username: system:node:ip-1\n  groups: [system:nodes]\n"
)

func table(roles string) *mapper.Table {
	return awsauth.Parse(map[string]string{"mapRoles": roles}, nil, awsauth.Options{}).Table
}

func entries(current *mapper.Table) mapper.Mapper {
	return mapper.Entries(func() *mapper.Table { return current }, nil)
}

// before and after return a cluster with a source that maps roles before or after the one
// that is edited.
func before(roles string) func(*mapper.Table) mapper.Mapper {
	return func(edited *mapper.Table) mapper.Mapper { return mapper.First(entries(table(roles)), entries(edited)) }
}

func after(roles string) func(*mapper.Table) mapper.Mapper {
	return func(edited *mapper.Table) mapper.Mapper { return mapper.First(entries(edited), entries(table(roles))) }
}

func TestDangers(t *testing.T) {
	t.Parallel()
	ann, err := identity.New(identity.Answer{Account: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/Admin/ann", UserID: "AROA:ann"})
	if err != nil {
		t.Fatal(err)
	}
	owner, err := mapper.Owner("aws", "arn:aws:iam::111122223333:role/Admin")
	if err != nil {
		t.Fatal(err)
	}
	nodes := lockout.Facts{Nodes: lockout.ReadyNodes{"ip-1", "ip-2", "ip-3", "ip-4", "ip-5"}}
	for _, test := range []struct {
		name     string
		from, to string
		facts    lockout.Facts
		want     []string
	}{
		{"nothing", admin + node, admin + node + other, lockout.Facts{Caller: &ann, Nodes: nodes.Nodes}, nil},
		{"the last administrator", admin, "[]", lockout.Facts{}, []string{"nobody would be left in system:masters"}},
		{"one of two administrators", admin + other, other, lockout.Facts{}, nil},
		{"the caller", admin + other, other, lockout.Facts{Caller: &ann}, []string{"you (arn:aws:iam::111122223333:role/Admin) would lose your own access"}},
		{"the caller's rights", admin + other, other + "- rolearn: arn:aws:iam::111122223333:role/Admin\n  username: admin\n", lockout.Facts{Caller: &ann}, []string{"you (arn:aws:iam::111122223333:role/Admin) would leave system:masters"}},
		{"a caller who signs in by another way", node + other, other, lockout.Facts{Caller: &ann}, nil},
		{"a caller who is an owner of the cluster", admin + other, other, lockout.Facts{Caller: &ann, Mapper: func(edited *mapper.Table) mapper.Mapper { return mapper.First(owner, entries(edited)) }}, nil},
		{"a caller who keeps an access with fewer rights", admin + other, other, lockout.Facts{Caller: &ann, Mapper: after("- rolearn: arn:aws:iam::111122223333:role/Admin\n  username: ann\n  groups: [view]\n")}, []string{"you (arn:aws:iam::111122223333:role/Admin) would leave system:masters"}},
		{"a caller with fewer rights who keeps another access", "- rolearn: arn:aws:iam::111122223333:role/Admin\n  groups: [edit]\n" + other, other, lockout.Facts{Caller: &ann, Mapper: after("- rolearn: arn:aws:iam::111122223333:role/Admin\n  username: ann\n  groups: [view]\n")}, nil},
		{"a caller whom an earlier source gives fewer rights all the time", admin + other, other, lockout.Facts{Caller: &ann, Mapper: before("- rolearn: arn:aws:iam::111122223333:role/Admin\n  username: ann\n  groups: [view]\n")}, nil},
		{"a caller whose rights in a later source would no longer count", admin + other, other + "- rolearn: arn:aws:iam::111122223333:role/Admin\n  username: ann\n  groups: [view]\n", lockout.Facts{Caller: &ann, Mapper: after(admin)}, []string{"you (arn:aws:iam::111122223333:role/Admin) would leave system:masters"}},
		{"a caller with a new entry before the one that gives it its rights", other, other + "- rolearn: arn:aws:iam::111122223333:role/Admin\n  username: ann\n  groups: [view]\n", lockout.Facts{Caller: &ann, Mapper: after(admin)}, []string{"you (arn:aws:iam::111122223333:role/Admin) would leave system:masters"}},
		{"a caller whose new username is reserved", admin + other, other + "- rolearn: arn:aws:iam::111122223333:role/Admin\n  username: system:ann\n  groups: [system:masters]\n", lockout.Facts{Caller: &ann, Reserved: []string{"system:"}}, []string{"you (arn:aws:iam::111122223333:role/Admin) would lose your own access"}},
		{"a node role in use", node, "[]", nodes, []string{"role Node of account 111122223333 would leave system:nodes, and these nodes are ready and may use it: ip-1, ip-2, ip-3 and 2 more"}},
		{"a node role for one node", one, "[]", nodes, []string{"role One of account 111122223333 would leave system:nodes, and these nodes are ready and may use it: ip-1"}},
		{"a node role for a node that is not ready", one, "[]", lockout.Facts{Nodes: lockout.ReadyNodes{"ip-10"}}, nil},
		{"a node role without nodes", node, "[]", lockout.Facts{}, nil},
		{"a node role with unknown nodes", one, "[]", lockout.Facts{Nodes: lockout.UnknownNodes{errors.New("forbidden")}}, []string{"role One of account 111122223333 would leave system:nodes, and the nodes that may use it are unknown: forbidden"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, lockout.Dangers(table(test.from), table(test.to), mapper.Diff(table(test.from), table(test.to)), test.facts)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
