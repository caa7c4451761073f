package localaws

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A role of IAM.
type role struct {
	entity
	Description string `json:"description,omitempty"`
	// Trust says who may assume the role.
	Trust      trustDocument `json:"trust"`
	MaxSession int           `json:"maxSessionSeconds"`
}

func roleOperations() map[string]operation {
	roles := func(p *parameters) string { return p.arn("iam", "", "role"+orSlash(p.get("PathPrefix"))) }
	return map[string]operation{
		"CreateRole": write(roleResource, createRole,
			"RoleName", "Path", "AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Tags.member.N.Key", "Tags.member.N.Value"),
		"GetRole":                read(roleResource, getRole, "RoleName"),
		"ListRoles":              read(roles, listRoles, "PathPrefix", "MaxItems", "Marker"),
		"UpdateAssumeRolePolicy": write(roleResource, updateAssumeRolePolicy, "RoleName", "PolicyDocument"),
		"DeleteRole":             write(roleResource, deleteRole, "RoleName"),
	}
}

// roleResource is the ARN of the role that a call names, if there is one, else of
// one that would be made.
func roleResource(p *parameters) string {
	if r, ok := p.Roles[lower(p.get("RoleName"))]; ok {
		return r.ARN
	}
	return p.arn("iam", "", "role"+orSlash(p.get("Path"))+p.get("RoleName"))
}

func (p *parameters) role() (*role, *Error) {
	r, ok := p.Roles[lower(p.get("RoleName"))]
	if !ok {
		return nil, noSuchEntity("The role with name " + p.get("RoleName") + " cannot be found.")
	}
	return r, nil
}

type xmlRole struct {
	Path                     string
	RoleName                 string
	RoleID                   string `xml:"RoleId"`
	Arn                      string
	CreateDate               timestamp
	AssumeRolePolicyDocument string
	Description              string `xml:",omitempty"`
	MaxSessionDuration       int
	Tags                     *members[tag] `xml:",omitempty"`
}

func (r *role) xml(withTags bool) xmlRole {
	x := xmlRole{
		Path: r.Path, RoleName: r.Name, RoleID: r.ID, Arn: r.ARN, CreateDate: timestamp(r.Created),
		AssumeRolePolicyDocument: percentEncoded(r.Trust.text), Description: r.Description, MaxSessionDuration: r.MaxSession,
	}
	if withTags && len(r.Tags) > 0 {
		x.Tags = &members[tag]{r.Tags}
	}
	return x
}

// percentEncoded is how IAM answers documents.
func percentEncoded(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func createRole(c *call, p *parameters) (any, *Error) {
	r := &role{
		entity:      entity{Name: p.get("RoleName"), ID: newID("AROA", 17), Created: c.time},
		Description: p.get("Description"), MaxSession: 3600,
	}
	err := checkName("roleName", r.Name, 64)
	if err != nil {
		return nil, err
	}
	if r.Path, err = checkPath(p.get("Path")); err != nil {
		return nil, err
	}
	if r.Tags, err = p.tags(); err != nil {
		return nil, err
	}
	if err := r.setTrust(p.get("AssumeRolePolicyDocument")); err != nil {
		return nil, err
	}
	if text := p.get("MaxSessionDuration"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 3600 || seconds > 43200 {
			return nil, invalid("maxSessionDuration", "failed to satisfy constraint: Member must have value between 3600 and 43200")
		}
		r.MaxSession = seconds
	}
	if _, ok := c.Roles[lower(r.Name)]; ok {
		return nil, alreadyExists("Role with name " + r.Name + " already exists.")
	}
	r.ARN = c.arn("iam", "", "role"+r.Path+r.Name)
	c.Roles[lower(r.Name)] = r
	return fields{{"Role", r.xml(true)}}, nil
}

// setTrust parses a trust policy and makes it the role's.
func (r *role) setTrust(text string) *Error {
	if len(text) > 2048 {
		return limitExceeded("Cannot exceed quota for ACLSizePerRole: 2048")
	}
	trust, err := policy.ParseTrust([]byte(text))
	if err != nil {
		return malformedPolicy(err)
	}
	r.Trust = trustDocument{trust, text}
	return nil
}

func malformedPolicy(err error) *Error {
	if malformed, ok := errors.AsType[*policy.MalformedError](err); ok {
		return newError(http.StatusBadRequest, "MalformedPolicyDocument", malformed.Reason)
	}
	return newError(http.StatusInternalServerError, "ServiceFailure", err.Error())
}

func getRole(_ *call, p *parameters) (any, *Error) {
	r, err := p.role()
	if err != nil {
		return nil, err
	}
	return fields{{"Role", r.xml(true)}}, nil
}

func listRoles(c *call, p *parameters) (any, *Error) {
	var all []xmlRole
	for _, name := range slices.Sorted(maps.Keys(c.Roles)) {
		if r := c.Roles[name]; strings.HasPrefix(r.Path, p.get("PathPrefix")) {
			all = append(all, r.xml(false))
		}
	}
	return paged(p, "Roles", all)
}

func updateAssumeRolePolicy(_ *call, p *parameters) (any, *Error) {
	r, err := p.role()
	if err != nil {
		return nil, err
	}
	return nil, r.setTrust(p.get("PolicyDocument"))
}

func deleteRole(c *call, p *parameters) (any, *Error) {
	r, err := p.role()
	if err != nil {
		return nil, err
	}
	if len(r.Inline) > 0 {
		return nil, deleteConflict("policies")
	}
	c.closeSessions(&r.entity)
	delete(c.Roles, lower(r.Name))
	return nil, nil
}
