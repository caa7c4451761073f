package localaws

import (
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

func iamOperations() map[string]operation {
	operations := map[string]operation{}
	for _, group := range []map[string]operation{
		userOperations(), accessKeyOperations(), groupOperations(), roleOperations(), managedPolicyOperations(),
		serviceLinkedOperations(), instanceProfileOperations(), oidcProviderOperations(), mfaDeviceOperations(), accountOperations(),
	} {
		maps.Copy(operations, group)
	}
	for _, k := range kinds() {
		maps.Copy(operations, inlinePolicyOperations(k))
		maps.Copy(operations, attachmentOperations(k))
	}
	protectServiceLinked(operations)
	return operations
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// A tag of a user, a role or a policy.
type tag struct{ Key, Value string }

// tagKeys are the condition keys that tell of the tags in a request.
func (p *parameters) tagKeys() map[string][]string {
	keys := map[string][]string{}
	values := p.list("Tags.member", ".Value")
	for i, key := range p.list("Tags.member", ".Key") {
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], key)
		if i < len(values) {
			keys["aws:requesttag/"+lower(key)] = []string{values[i]}
		}
	}
	return keys
}

func (p *parameters) tags() ([]tag, *Error) {
	keys, values := p.list("Tags.member", ".Key"), p.list("Tags.member", ".Value")
	if len(keys) != len(values) {
		return nil, invalid("tags", "failed to satisfy constraint: every tag has a key and a value")
	}
	if len(keys) > 50 {
		return nil, limitExceeded("The number of tags has reached the maximum limit.")
	}
	var tags []tag
	seen := map[string]bool{}
	for i, key := range keys {
		if key == "" || len(key) > 128 || len(values[i]) > 256 {
			return nil, invalid("tags."+strconv.Itoa(i+1)+".member", "failed to satisfy constraint: a key has 1 to 128 characters, a value up to 256")
		}
		if seen[strings.ToLower(key)] {
			return nil, newError(http.StatusBadRequest, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[strings.ToLower(key)] = true
		tags = append(tags, tag{key, values[i]})
	}
	return tags, nil
}

var (
	namePattern = regexp.MustCompile(`^[\w+=,.@-]+$`)
	pathPattern = regexp.MustCompile(`^/([\x21-\x7E]+/)?$`)
)

// checkName of a user, role or policy; field is its name on the wire.
func checkName(field, name string, limit int) *Error {
	switch {
	case name == "":
		return invalid(field, "failed to satisfy constraint: Member must not be null")
	case len(name) > limit:
		return invalid(field, "failed to satisfy constraint: Member must have length less than or equal to "+strconv.Itoa(limit))
	case !namePattern.MatchString(name):
		return validationError("The specified value for " + field + " is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
	}
	return nil
}

func checkPath(path string) (string, *Error) {
	path = orSlash(path)
	if len(path) > 512 || !pathPattern.MatchString(path) {
		return "", validationError("The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return path, nil
}
