package localaws

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

func iamOperations() map[string]operation {
	user := func(p *parameters) string { return p.userARN(p.get("UserName"), p.get("Path")) }
	role := func(p *parameters) string { return p.roleARN(p.get("RoleName"), p.get("Path")) }
	users := func(p *parameters) string { return p.arn("iam", "", "user"+orSlash(p.get("PathPrefix"))) }
	roles := func(p *parameters) string { return p.arn("iam", "", "role"+orSlash(p.get("PathPrefix"))) }
	return map[string]operation{
		"CreateUser": {user, createUser, []string{"UserName", "Path", "Tags.member.N.Key", "Tags.member.N.Value"}},
		"GetUser":    {user, getUser, []string{"UserName"}},
		"ListUsers":  {users, listUsers, []string{"PathPrefix", "MaxItems", "Marker"}},
		"DeleteUser": {user, deleteUser, []string{"UserName"}},

		"CreateAccessKey": {user, createAccessKey, []string{"UserName"}},
		"ListAccessKeys":  {user, listAccessKeys, []string{"UserName", "MaxItems", "Marker"}},
		"UpdateAccessKey": {user, updateAccessKey, []string{"UserName", "AccessKeyId", "Status"}},
		"DeleteAccessKey": {user, deleteAccessKey, []string{"UserName", "AccessKeyId"}},

		"PutUserPolicy":    {user, putUserPolicy, []string{"UserName", "PolicyName", "PolicyDocument"}},
		"GetUserPolicy":    {user, getUserPolicy, []string{"UserName", "PolicyName"}},
		"ListUserPolicies": {user, listUserPolicies, []string{"UserName", "MaxItems", "Marker"}},
		"DeleteUserPolicy": {user, deleteUserPolicy, []string{"UserName", "PolicyName"}},

		"CreateRole": {role, createRole, []string{
			"RoleName", "Path", "AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Tags.member.N.Key", "Tags.member.N.Value",
		}},
		"GetRole":                {role, getRole, []string{"RoleName"}},
		"ListRoles":              {roles, listRoles, []string{"PathPrefix", "MaxItems", "Marker"}},
		"UpdateAssumeRolePolicy": {role, updateAssumeRolePolicy, []string{"RoleName", "PolicyDocument"}},
		"DeleteRole":             {role, deleteRole, []string{"RoleName"}},

		"PutRolePolicy":    {role, putRolePolicy, []string{"RoleName", "PolicyName", "PolicyDocument"}},
		"GetRolePolicy":    {role, getRolePolicy, []string{"RoleName", "PolicyName"}},
		"ListRolePolicies": {role, listRolePolicies, []string{"RoleName", "MaxItems", "Marker"}},
		"DeleteRolePolicy": {role, deleteRolePolicy, []string{"RoleName", "PolicyName"}},
	}
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// A tag of a user or a role.
type tag struct{ Key, Value string }

func (p *parameters) tags() ([]tag, *Error) {
	keys, values := p.list("Tags.member", ".Key"), p.list("Tags.member", ".Value")
	if len(keys) != len(values) {
		return nil, invalid("tags", "failed to satisfy constraint: every tag has a key and a value")
	}
	if len(keys) > 50 {
		return nil, newError(http.StatusConflict, "LimitExceeded", "The number of tags has reached the maximum limit.")
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
		return newError(http.StatusBadRequest, "ValidationError", "The specified value for "+field+" is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
	}
	return nil
}

func checkPath(path string) (string, *Error) {
	path = orSlash(path)
	if len(path) > 512 || !pathPattern.MatchString(path) {
		return "", newError(http.StatusBadRequest, "ValidationError", "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return path, nil
}

// page cuts a list to what was asked for. The marker is where the next begins.
func page[T any](p *parameters, all []T) (items []T, truncated bool, marker string, e *Error) {
	start, limit := 0, 100
	var err error
	if text := p.get("Marker"); text != "" {
		if start, err = strconv.Atoi(text); err != nil || start < 0 || start > len(all) {
			return nil, false, "", newError(http.StatusBadRequest, "ValidationError", "Invalid Marker")
		}
	}
	if text := p.get("MaxItems"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 1000 {
			return nil, false, "", invalid("maxItems", "failed to satisfy constraint: Member must have value between 1 and 1000")
		}
	}
	end := min(start+limit, len(all))
	if end < len(all) {
		return all[start:end], true, strconv.Itoa(end), nil
	}
	return all[start:end], false, "", nil
}
