package localaws

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A role of IAM.
type role struct {
	name, path, id, arn string
	description         string
	created             time.Time
	tags                []tag
	// trust says who may assume the role; trustText is how it was written.
	trust      *policy.Document
	trustText  string
	maxSession int // seconds
	policies   inlinePolicies
}

// roleARN is the ARN of the role called name, if there is one, else that of one
// who would be made.
func (c *call) roleARN(name, path string) string {
	if r, ok := c.roles[strings.ToLower(name)]; ok {
		return r.arn
	}
	return c.arn("iam", "", "role"+orSlash(path)+name)
}

func (p *parameters) role() (*role, *Error) {
	r, ok := p.roles[strings.ToLower(p.get("RoleName"))]
	if !ok {
		return nil, newError(http.StatusNotFound, "NoSuchEntity", "The role with name "+p.get("RoleName")+" cannot be found.")
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
		Path: r.path, RoleName: r.name, RoleID: r.id, Arn: r.arn, CreateDate: timestamp(r.created),
		AssumeRolePolicyDocument: percentEncoded(r.trustText), Description: r.description, MaxSessionDuration: r.maxSession,
	}
	if withTags && len(r.tags) > 0 {
		x.Tags = &members[tag]{r.tags}
	}
	return x
}

// percentEncoded is how IAM answers documents.
func percentEncoded(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func createRole(c *call, p *parameters) (any, *Error) {
	r := &role{
		name: p.get("RoleName"), id: newID("AROA", 17), description: p.get("Description"), created: c.time, maxSession: 3600,
	}
	err := checkName("roleName", r.name, 64)
	if err != nil {
		return nil, err
	}
	if r.path, err = checkPath(p.get("Path")); err != nil {
		return nil, err
	}
	if r.tags, err = p.tags(); err != nil {
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
		r.maxSession = seconds
	}
	if _, ok := c.roles[strings.ToLower(r.name)]; ok {
		return nil, newError(http.StatusConflict, "EntityAlreadyExists", "Role with name "+r.name+" already exists.")
	}
	r.arn = c.arn("iam", "", "role"+r.path+r.name)
	c.roles[strings.ToLower(r.name)] = r
	return struct{ Role xmlRole }{r.xml(true)}, nil
}

// setTrust parses a trust policy and makes it the role's.
func (r *role) setTrust(text string) *Error {
	if len(text) > 2048 {
		return newError(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")
	}
	trust, err := policy.ParseTrust([]byte(text))
	if err != nil {
		return malformedPolicy(err)
	}
	r.trust, r.trustText = trust, text
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
	return struct{ Role xmlRole }{r.xml(true)}, nil
}

func listRoles(c *call, p *parameters) (any, *Error) {
	var all []xmlRole
	for _, name := range slices.Sorted(maps.Keys(c.roles)) {
		if r := c.roles[name]; strings.HasPrefix(r.path, p.get("PathPrefix")) {
			all = append(all, r.xml(false))
		}
	}
	items, truncated, marker, err := page(p, all)
	return struct {
		Roles       members[xmlRole]
		IsTruncated bool
		Marker      string `xml:",omitempty"`
	}{members[xmlRole]{items}, truncated, marker}, err
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
	if len(r.policies) > 0 {
		return nil, newError(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	delete(c.roles, strings.ToLower(r.name))
	return nil, nil
}
