package localaws

import (
	"maps"
	"slices"
	"strconv"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// IAMOperations are the names of all operations of IAM.
func IAMOperations() []string { return slices.Sorted(maps.Keys(iamOperations())) }

// EntityOperations are the operations on users, groups and managed policies, and on
// the policies and tags of entities.
func EntityOperations() []string {
	all := map[string]operation{}
	for _, operations := range []map[string]operation{userOperations(), accessKeyOperations(), groupOperations(), managedPolicyOperations()} {
		maps.Copy(all, operations)
	}
	for _, k := range kinds() {
		maps.Copy(all, k.operations())
	}
	return slices.Sorted(maps.Keys(all))
}

// AddUsers adds users faster than API calls would.
func (a *AWS) AddUsers(n int) {
	a.account.View(func(*account.Tx) {
		for i := range n {
			name := "added-" + strconv.Itoa(i)
			a.state.Users[name] = &user{entity: entity{Name: name, Path: "/", ID: account.NewID("AIDA", 17), ARN: a.arn("iam", "", "user/"+name)}}
		}
	})
}
