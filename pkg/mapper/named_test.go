package mapper_test

import (
	"testing"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

func TestNamesAccount(t *testing.T) {
	t.Parallel()
	table := mapper.NewTable([]mapper.Entry{
		{ARN: "arn:aws:iam::111111111111:user/bob"},
		{ARN: "arn:aws:iam::222222222222:role/team/x"}, // without effect
		{SSO: &mapper.SSO{PermissionSet: "Admin", AccountID: "333333333333"}},
		{ARN: "nonsense"},
	}, []mapper.Account{{ID: "444444444444"}}, mapper.RolePathsIgnore)
	for id, want := range map[string]bool{
		"111111111111": true, "222222222222": true, "333333333333": true, "444444444444": true,
		"555555555555": false, "": false,
	} {
		if got := table.NamesAccount(id); got != want {
			t.Errorf("NamesAccount(%q) = %v", id, got)
		}
	}
}
