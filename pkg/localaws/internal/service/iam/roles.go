package iam

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A role of IAM.
type role struct {
	entity
	Description string `json:"description,omitempty"`
	// Trust is the trust policy, which says who may assume the role.
	Trust trustDocument `json:"trust"`
	// Trusted are the IDs of the users and roles that Trust names by ARN.
	// A new user or role with the same name is not trusted.
	Trusted    map[string]string `json:"trusted,omitempty"`
	MaxSession int               `json:"maxSessionSeconds"`
	// LastUse is the last call of a session of the role.
	LastUse keyUse `json:"lastUse,omitzero"`
}

const (
	maxRoles    = 1000
	maxRoleName = 64
	maxTrust    = 2048
)

func roleOperations() map[string]operation {
	roles := func(c *call) string { return c.ARN("iam", "", "role"+orSlash(c.Get("PathPrefix"))) }
	return map[string]operation{
		"CreateRole": write(roleResource, createRole,
			"RoleName", "Path", "AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "PermissionsBoundary", "Tags.member.N.Key", "Tags.member.N.Value"),
		"GetRole":                read(roleResource, getRole, "RoleName"),
		"ListRoles":              read(roles, listRoles, "PathPrefix", "MaxItems", "Marker"),
		"UpdateRole":             write(roleResource, updateRole, "RoleName", "Description", "MaxSessionDuration"),
		"UpdateRoleDescription":  write(roleResource, updateRoleDescription, "RoleName", "Description"),
		"UpdateAssumeRolePolicy": write(roleResource, updateAssumeRolePolicy, "RoleName", "PolicyDocument"),
		"DeleteRole":             write(roleResource, deleteRole, "RoleName"),
	}
}

// roleResource returns the ARN of the role that a call names, or the ARN that a new
// one would get.
func roleResource(c *call) string {
	if r, ok := c.state.Roles[lower(c.Get("RoleName"))]; ok {
		return r.ARN
	}
	return c.ARN("iam", "", "role"+orSlash(c.Get("Path"))+c.Get("RoleName"))
}

func (c *call) role() (*role, error) {
	name := c.Get("RoleName")
	if err := checkName("roleName", name, maxRoleName); err != nil {
		return nil, err
	}
	r, ok := c.state.Roles[lower(name)]
	if !ok {
		return nil, noSuchEntity("The role with name " + name + " cannot be found.")
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
	Description              string        `xml:",omitempty"`
	MaxSessionDuration       int           `xml:",omitempty"`
	PermissionsBoundary      *xmlBoundary  `xml:",omitempty"`
	RoleLastUsed             *xmlLastUsed  `xml:",omitempty"`
	Tags                     *members[tag] `xml:",omitempty"`
}

type xmlLastUsed struct {
	LastUsedDate *timestamp `xml:",omitempty"`
	Region       string     `xml:",omitempty"`
}

// xml returns a role. Lists omit its boundary, its last use and its tags.
func (r *role) xml(detailed bool) xmlRole {
	x := xmlRole{
		Path: r.Path, RoleName: r.Name, RoleID: r.ID, Arn: r.ARN, CreateDate: timestamp(r.Created),
		AssumeRolePolicyDocument: percentEncoded(r.Trust.text), Description: r.Description, MaxSessionDuration: r.MaxSession,
	}
	if !detailed {
		return x
	}
	x.PermissionsBoundary, x.RoleLastUsed = r.boundaryXML(), r.lastUsedXML()
	if len(r.Tags) > 0 {
		x.Tags = new(membersOf(r.Tags))
	}
	return x
}

// lastUsedXML is empty, not missing, for a role that was never used.
func (r *role) lastUsedXML() *xmlLastUsed {
	if r.LastUse.Time.IsZero() {
		return &xmlLastUsed{}
	}
	return &xmlLastUsed{(*timestamp)(&r.LastUse.Time), r.LastUse.Region}
}

// percentEncoded encodes documents as IAM does in responses.
func percentEncoded(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func createRole(c *call) (any, error) {
	r := &role{entity: entity{Name: c.Get("RoleName"), ID: account.NewID("AROA", 17), Created: c.Time}}
	err := checkName("roleName", r.Name, maxRoleName)
	if err != nil {
		return nil, err
	}
	if r.Path, err = checkRolePath(r.Name, c.Get("Path")); err != nil {
		return nil, err
	}
	if r.Description, err = c.description(); err != nil {
		return nil, err
	}
	if r.MaxSession, err = c.maxSession(); err != nil {
		return nil, err
	}
	if r.Tags, err = c.tags(); err != nil {
		return nil, err
	}
	if r.Boundary, err = c.boundary(); err != nil {
		return nil, err
	}
	trust, err := c.trust("AssumeRolePolicyDocument")
	if err != nil {
		return nil, err
	}
	if err := c.setTrust(r, trust); err != nil {
		return nil, err
	}
	if _, ok := c.state.Roles[lower(r.Name)]; ok {
		return nil, alreadyExists("Role with name " + r.Name + " already exists.")
	}
	if err := c.addRole(r); err != nil {
		return nil, err
	}
	return fields{element("Role", r.createdXML())}, nil
}

// createdXML returns a role that was just created. Like AWS's, it lacks what nobody
// has used or changed yet.
func (r *role) createdXML() xmlRole {
	x := r.xml(true)
	x.MaxSessionDuration, x.RoleLastUsed = 0, nil
	return x
}

// addRole adds a role and sets its ARN.
func (c *call) addRole(r *role) error {
	if len(c.state.Roles) >= maxRoles {
		return limitExceeded("Cannot exceed quota for RolesPerAccount: " + strconv.Itoa(maxRoles))
	}
	r.ARN = c.ARN("iam", "", "role"+r.Path+r.Name)
	c.state.Roles[lower(r.Name)] = r
	return nil
}

var (
	ssoPathPattern = pattern.New(`^/aws-reserved/sso\.amazonaws\.com/([a-z0-9-]+/)?$`)
	ssoNamePattern = pattern.New(`^AWSReservedSSO_[\w+=,.@-]{1,32}_[0-9a-f]{16}$`)
)

// checkRolePath also reserves AWS's own paths. On AWS only IAM Identity Center
// creates roles under its path. It does not exist here, so anybody may create such a
// role with a name as Identity Center gives it.
func checkRolePath(name, path string) (string, error) {
	path, err := checkPath(path)
	switch {
	case err != nil:
		return "", err
	case strings.HasPrefix(path, serviceLinkedPath):
		return "", invalidInput("Path prefix '" + serviceLinkedPath + "' can only be used for AWS Service linked Roles")
	case !strings.HasPrefix(path, "/aws-reserved/"):
		return path, nil
	case !ssoPathPattern.MatchString(path):
		return "", api.Refuse(http.StatusBadRequest, "InvalidInput", "Path "+path+" is reserved: localaws supports only /aws-reserved/sso.amazonaws.com/ and /aws-reserved/sso.amazonaws.com/<region>/ under /aws-reserved/")
	case !ssoNamePattern.MatchString(name):
		return "", invalidInput("Role " + name + " cannot be under " + path + ": the name of an IAM Identity Center role is AWSReservedSSO_<permission set>_<16 hex digits>")
	}
	return path, nil
}

var descriptionPattern = pattern.New(`^[\t\n\r\x{20}-\x{7E}\x{A1}-\x{FF}]*$`)

// description returns the description in a call.
func (c *call) description() (string, error) {
	text := c.Get("Description")
	if utf8.RuneCountInString(text) > maxDescription || !descriptionPattern.MatchString(text) {
		return "", invalid("description", "failed to satisfy constraint: Member must have at most 1000 characters, all of Latin-1")
	}
	return text, nil
}

// maxSession returns the maximum length of a role's sessions in seconds; an hour by
// default.
func (c *call) maxSession() (int, error) {
	text := c.Get("MaxSessionDuration")
	if text == "" {
		return 3600, nil
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 3600 || seconds > 43200 {
		return 0, invalid("maxSessionDuration", "failed to satisfy constraint: Member must have value between 3600 and 43200")
	}
	return seconds, nil
}

// trust returns the text of the trust policy in a call.
func (c *call) trust(name string) (string, error) {
	if !c.Has(name) {
		return "", missing(onWire(name))
	}
	return c.Get(name), checkPrintable(onWire(name), c.Get(name))
}

// setTrust parses a trust policy and sets it. The users and roles that it names must
// exist; those of accounts that are not served cannot be checked.
func (c *call) setTrust(r *role, text string) error {
	if len(text) > maxTrust {
		return limitExceeded("Cannot exceed quota for ACLSizePerRole: " + strconv.Itoa(maxTrust))
	}
	trust, err := policy.ParseTrust([]byte(text))
	if err != nil {
		return malformedPolicy(err)
	}
	trusted := map[string]string{}
	for _, arn := range trust.PrincipalARNs() {
		in, served := c.In(account.OfARN(arn))
		if !served || !strings.HasPrefix(arn, in.ARN("iam", "", "")) {
			continue
		}
		named := account.Get[*state](in).userOrRole(arn)
		if named == nil {
			return newError(http.StatusBadRequest, "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"`+arn+`"`)
		}
		trusted[arn] = named.ID
	}
	r.Trust, r.Trusted = trustDocument{trust, text}, trusted
	return nil
}

// roleByARN returns the role with an ARN.
func (s *state) roleByARN(arn string) (*role, bool) {
	r, ok := s.Roles[lower(arn[strings.LastIndex(arn, "/")+1:])]
	return r, ok && r.ARN == arn
}

// userOrRole returns the user or role with an ARN; nil if neither exists.
func (s *state) userOrRole(arn string) *entity {
	name := lower(arn[strings.LastIndex(arn, "/")+1:])
	if u, ok := s.Users[name]; ok && u.ARN == arn {
		return &u.entity
	}
	if r, ok := s.Roles[name]; ok && r.ARN == arn {
		return &r.entity
	}
	return nil
}

func malformedPolicy(err error) error {
	if malformed, ok := errors.AsType[*policy.MalformedError](err); ok {
		return newError(http.StatusBadRequest, "MalformedPolicyDocument", malformed.Reason)
	}
	return newError(http.StatusInternalServerError, "ServiceFailure", err.Error())
}

func getRole(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	return fields{element("Role", r.xml(true))}, nil
}

func listRoles(c *call) (any, error) {
	prefix, err := c.pathPrefix()
	if err != nil {
		return nil, err
	}
	var all []xmlRole
	for _, name := range slices.Sorted(maps.Keys(c.state.Roles)) {
		if r := c.state.Roles[name]; strings.HasPrefix(r.Path, prefix) {
			all = append(all, r.xml(false))
		}
	}
	return paged(c, "Roles", all)
}

// updateRole keeps a description that the call omits, but resets an omitted duration
// to an hour, as AWS does.
func updateRole(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	description, err := c.description()
	if err != nil {
		return nil, err
	}
	maxSession, err := c.maxSession()
	if err != nil {
		return nil, err
	}
	if c.Has("Description") {
		r.Description = description
	}
	r.MaxSession = maxSession
	return fields{}, nil
}

func updateRoleDescription(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	if !c.Has("Description") {
		return nil, missing("description")
	}
	description, err := c.description()
	if err != nil {
		return nil, err
	}
	r.Description = description
	return fields{element("Role", r.xml(true))}, nil
}

func updateAssumeRolePolicy(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	trust, err := c.trust("PolicyDocument")
	if err != nil {
		return nil, err
	}
	return nil, c.setTrust(r, trust)
}

func deleteRole(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	if len(c.state.profilesOf(r)) > 0 {
		return nil, inUse("remove roles from instance profile")
	}
	if err := r.deletable(); err != nil {
		return nil, err
	}
	c.removeRole(r)
	return nil, nil
}

// removeRole removes a role and its sessions.
func (c *call) removeRole(r *role) {
	c.state.closeSessions(&r.entity)
	delete(c.state.Roles, lower(r.Name))
}
