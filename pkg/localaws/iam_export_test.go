package localaws

import (
	"maps"
	"slices"
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
