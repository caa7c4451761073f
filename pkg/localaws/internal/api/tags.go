package api

import (
	"maps"
	"slices"
	"strings"
)

// Tag keys of EC2 and EKS are case sensitive, unlike those of IAM; their condition
// keys are not.

// RequestTags returns the condition keys of the tags in a request.
func RequestTags(tags map[string]string) map[string][]string {
	keys := map[string][]string{}
	for key, value := range tags {
		keys["aws:requesttag/"+strings.ToLower(key)] = []string{value}
	}
	if len(tags) > 0 {
		keys["aws:tagkeys"] = slices.Sorted(maps.Keys(tags))
	}
	return keys
}

// ResourceTags returns the condition keys of the tags of a resource.
func ResourceTags(tags map[string]string) map[string][]string {
	keys := map[string][]string{}
	for key, value := range tags {
		keys["aws:resourcetag/"+strings.ToLower(key)] = []string{value}
	}
	return keys
}

// Merged merges condition keys.
func Merged(all ...map[string][]string) map[string][]string {
	keys := map[string][]string{}
	for _, some := range all {
		maps.Copy(keys, some)
	}
	return keys
}
