package lab

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestNewMappings(t *testing.T) {
	t.Parallel()
	const account = "arn:aws:iam::231144931069:"
	got, err := json.Marshal(newMappings([]localaws.AccessEntry{
		{PrincipalARN: account + "role/ops/night/Deployer", PrincipalID: "AROAD", Username: "d:{{SessionName}}", Groups: []string{"deployers"}},
		{PrincipalARN: account + "user/people/alice", PrincipalID: "AIDAA", Username: account + "user/people/alice", Groups: []string{}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"mapRoles":[{"rolearn":"` + account + `role/Deployer","userid":"AROAD","username":"d:{{SessionName}}","groups":["deployers"]}],` +
		`"mapUsers":[{"userarn":"` + account + `user/people/alice","userid":"AIDAA","username":"` + account + `user/people/alice","groups":[]}],"mapAccounts":[]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestBackendsOf(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{
		"":                   "EKSConfigMap", // a deleted cluster
		"CONFIG_MAP":         "EKSConfigMap",
		"API_AND_CONFIG_MAP": "DynamicFile EKSConfigMap",
		"API":                "DynamicFile",
	} {
		if got := backendsOf(mode); got != want {
			t.Errorf("backendsOf(%q) = %q, want %q", mode, got, want)
		}
	}
}
