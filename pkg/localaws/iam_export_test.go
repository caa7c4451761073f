package localaws

import (
	"maps"
	"slices"
	"strconv"
)

// IAMOperations are the names of all operations of IAM.
func IAMOperations() []string { return slices.Sorted(maps.Keys(iamOperations())) }

// EntityOperations are those on users, groups, managed policies, and what entities
// have of them.
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

// AddUsers adds as many as would take long to create.
func (a *AWS) AddUsers(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range n {
		name := "added-" + strconv.Itoa(i)
		a.state.Users[name] = &user{entity: entity{Name: name, Path: "/", ID: newID("AIDA", 17), ARN: a.arn("iam", "", "user/"+name)}}
	}
}
