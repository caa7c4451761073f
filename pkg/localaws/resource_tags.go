package localaws

import (
	"maps"
	"slices"
)

// Tag keys of EC2 and EKS are case sensitive, unlike those of IAM; their condition
// keys are not.

// requestTags returns the condition keys of the tags in a request.
func requestTags(tags map[string]string) map[string][]string {
	keys := map[string][]string{}
	for key, value := range tags {
		keys["aws:requesttag/"+lower(key)] = []string{value}
	}
	if len(tags) > 0 {
		keys["aws:tagkeys"] = slices.Sorted(maps.Keys(tags))
	}
	return keys
}

// resourceTags returns the condition keys of the tags of a resource.
func resourceTags(tags map[string]string) map[string][]string {
	keys := map[string][]string{}
	for key, value := range tags {
		keys["aws:resourcetag/"+lower(key)] = []string{value}
	}
	return keys
}

// merged merges condition keys.
func merged(all ...map[string][]string) map[string][]string {
	keys := map[string][]string{}
	for _, some := range all {
		maps.Copy(keys, some)
	}
	return keys
}
