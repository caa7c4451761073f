package localaws

import (
	"maps"
	"slices"
)

// The tags of EC2's and EKS's things are told apart with regard to case, unlike
// those of IAM's; the condition keys that tell of them are not.

// requestTags are the condition keys of the tags in a request.
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

// resourceTags are the condition keys of the tags that something has.
func resourceTags(tags map[string]string) map[string][]string {
	keys := map[string][]string{}
	for key, value := range tags {
		keys["aws:resourcetag/"+lower(key)] = []string{value}
	}
	return keys
}

// merged are condition keys put together.
func merged(all ...map[string][]string) map[string][]string {
	keys := map[string][]string{}
	for _, some := range all {
		maps.Copy(keys, some)
	}
	return keys
}
