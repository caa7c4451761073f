package iam

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// A user of IAM.
type user struct {
	entity
	Keys []*accessKey `json:"accessKeys,omitempty"`
	// Login is nil for a user without a password.
	Login        *loginProfile         `json:"loginProfile,omitempty"`
	SSHKeys      []*sshKey             `json:"sshPublicKeys,omitempty"`
	Certificates []*signingCertificate `json:"signingCertificates,omitempty"`
}

const (
	maxUsers    = 5000
	maxUserName = 64
)

func userOperations() map[string]operation {
	users := func(c *call) string { return c.ARN("iam", "", "user"+orSlash(c.Get("PathPrefix"))) }
	return map[string]operation{
		"CreateUser": write(userResource, createUser, "UserName", "Path", "PermissionsBoundary", "Tags.member.N.Key", "Tags.member.N.Value"),
		"GetUser":    read(userResource, getUser, "UserName"),
		"ListUsers":  read(users, listUsers, "PathPrefix", "MaxItems", "Marker"),
		"UpdateUser": write(userResource, updateUser, "UserName", "NewUserName", "NewPath"),
		"DeleteUser": write(userResource, deleteUser, "UserName"),
	}
}

// userResource returns the ARN of the user that a call names, or the ARN that a new
// one would get. Without a name it is the caller's.
func userResource(c *call) string {
	name := c.Get("UserName")
	if u := c.state.userOf(c.Tx); name == "" && u != nil {
		return u.ARN
	}
	if u, ok := c.state.Users[lower(name)]; ok {
		return u.ARN
	}
	return c.ARN("iam", "", "user"+orSlash(c.Get("Path"))+name)
}

// user returns the user that a call names, by default the caller.
func (c *call) user() (*user, error) {
	if c.Has("UserName") {
		return c.namedUser()
	}
	if u := c.state.userOf(c.Tx); u != nil {
		return u, nil
	}
	return nil, validationError("Must specify userName when calling with non-User credentials")
}

// namedUser returns the user that a call must name.
func (c *call) namedUser() (*user, error) {
	name := c.Get("UserName")
	if err := checkName("userName", name, 128); err != nil {
		return nil, err
	}
	u, ok := c.state.Users[lower(name)]
	if !ok {
		return nil, noSuchEntity("The user with name " + name + " cannot be found.")
	}
	return u, nil
}

type xmlUser struct {
	Path                string
	UserName            string
	UserID              string `xml:"UserId"`
	Arn                 string
	CreateDate          timestamp
	PermissionsBoundary *xmlBoundary  `xml:",omitempty"`
	Tags                *members[tag] `xml:",omitempty"`
}

// xml returns a user. Lists omit its boundary and its tags.
func (u *user) xml(detailed bool) xmlUser {
	x := xmlUser{Path: u.Path, UserName: u.Name, UserID: u.ID, Arn: u.ARN, CreateDate: timestamp(u.Created)}
	if !detailed {
		return x
	}
	x.PermissionsBoundary = u.boundaryXML()
	if len(u.Tags) > 0 {
		x.Tags = new(membersOf(u.Tags))
	}
	return x
}

func createUser(c *call) (any, error) {
	u := &user{entity: entity{Name: c.Get("UserName"), ID: account.NewID("AIDA", 17), Created: c.Time}}
	err := checkName("userName", u.Name, maxUserName)
	if err != nil {
		return nil, err
	}
	if u.Path, err = checkPath(c.Get("Path")); err != nil {
		return nil, err
	}
	if u.Tags, err = c.tags(); err != nil {
		return nil, err
	}
	if u.Boundary, err = c.boundary(); err != nil {
		return nil, err
	}
	if _, ok := c.state.Users[lower(u.Name)]; ok {
		return nil, alreadyExists("User with name " + u.Name + " already exists.")
	}
	if len(c.state.Users) >= maxUsers {
		return nil, limitExceeded("Cannot exceed quota for UsersPerAccount: " + strconv.Itoa(maxUsers))
	}
	u.ARN = c.ARN("iam", "", "user"+u.Path+u.Name)
	c.state.Users[lower(u.Name)] = u
	return fields{element("User", u.xml(true))}, nil
}

func getUser(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return fields{element("User", u.xml(true))}, nil
}

func listUsers(c *call) (any, error) {
	prefix, err := c.pathPrefix()
	if err != nil {
		return nil, err
	}
	var all []xmlUser
	for _, name := range slices.Sorted(maps.Keys(c.state.Users)) {
		if u := c.state.Users[name]; strings.HasPrefix(u.Path, prefix) {
			all = append(all, u.xml(false))
		}
	}
	return paged(c, "Users", all)
}

// updateUser renames a user or changes its path. Its ID, keys, sessions and groups
// stay.
func updateUser(c *call) (any, error) {
	u, err := c.namedUser()
	if err != nil {
		return nil, err
	}
	return nil, move(c, c.state.Users, &u.entity, "User", maxUserName)
}

func deleteUser(c *call) (any, error) {
	u, err := c.namedUser()
	if err != nil {
		return nil, err
	}
	switch {
	case len(c.state.groupsOf(c.Tx, u.ID)) > 0:
		return nil, inUse("remove users from group")
	case len(u.Keys) > 0:
		return nil, deleteConflict("access keys")
	case len(u.SSHKeys) > 0:
		return nil, deleteConflict("SSH public keys")
	case len(u.Certificates) > 0:
		return nil, deleteConflict("signing certificates")
	case u.Login != nil:
		return nil, deleteConflict("login profile")
	case len(c.state.devicesOf(u)) > 0:
		return nil, deleteConflict("MFA device")
	}
	if err := u.deletable(); err != nil {
		return nil, err
	}
	c.state.closeSessions(&u.entity)
	delete(c.state.Users, lower(u.Name))
	return nil, nil
}
