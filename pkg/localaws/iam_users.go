package localaws

import (
	"maps"
	"slices"
	"strings"
)

// A user of IAM.
type user struct {
	entity
	Keys []*accessKey `json:"accessKeys,omitempty"`
}

func userOperations() map[string]operation {
	users := func(p *parameters) string { return p.arn("iam", "", "user"+orSlash(p.get("PathPrefix"))) }
	return map[string]operation{
		"CreateUser": write(userResource, createUser, "UserName", "Path", "Tags.member.N.Key", "Tags.member.N.Value"),
		"GetUser":    read(userResource, getUser, "UserName"),
		"ListUsers":  read(users, listUsers, "PathPrefix", "MaxItems", "Marker"),
		"DeleteUser": write(userResource, deleteUser, "UserName"),
	}
}

const administratorName = "administrator"

// addAdministrator makes sure of the user who may do all, and of its key.
func (a *AWS) addAdministrator(key AccessKey) {
	u, ok := a.Users[administratorName]
	if !ok {
		u = &user{entity: entity{
			Name: administratorName, Path: "/", ID: newID("AIDA", 17), Created: a.now(),
			ARN: a.arn("iam", "", "user/"+administratorName), Attached: []string{a.awsPolicyARN("AdministratorAccess")},
		}}
		a.Users[administratorName] = u
	}
	if key == (AccessKey{}) && len(u.Keys) > 0 {
		key = AccessKey{u.Keys[0].ID, u.Keys[0].Secret}
	}
	if key == (AccessKey{}) {
		key = AccessKey{newID("AKIA", 16), newSecret()}
	}
	if _, ok := a.keys[key.ID]; !ok {
		a.addKey(&accessKey{user: u, ID: key.ID, Secret: key.Secret, Active: true, Created: a.now()})
	}
	a.administrator = key
}

// userResource is the ARN of the user whom a call names, if there is one, else of
// one who would be made. Without a name it is the caller's.
func userResource(p *parameters) string {
	name := p.get("UserName")
	if name == "" && p.caller.user != nil {
		return p.caller.user.ARN
	}
	if u, ok := p.Users[lower(name)]; ok {
		return u.ARN
	}
	return p.arn("iam", "", "user"+orSlash(p.get("Path"))+name)
}

// user that a call is about; the caller's own unless it names one.
func (p *parameters) user() (*user, *Error) {
	name := p.get("UserName")
	if name == "" && p.caller.user != nil {
		return p.caller.user, nil
	}
	if name == "" {
		return nil, validationError("Must specify userName when calling with non-User credentials")
	}
	u, ok := p.Users[lower(name)]
	if !ok {
		return nil, noSuchEntity("The user with name " + name + " cannot be found.")
	}
	return u, nil
}

type xmlUser struct {
	Path       string
	UserName   string
	UserID     string `xml:"UserId"`
	Arn        string
	CreateDate timestamp
	Tags       *members[tag] `xml:",omitempty"`
}

// xml of a user. Lists do not tell its tags.
func (u *user) xml(withTags bool) xmlUser {
	x := xmlUser{Path: u.Path, UserName: u.Name, UserID: u.ID, Arn: u.ARN, CreateDate: timestamp(u.Created)}
	if withTags && len(u.Tags) > 0 {
		x.Tags = &members[tag]{u.Tags}
	}
	return x
}

func createUser(c *call, p *parameters) (any, *Error) {
	name := p.get("UserName")
	if err := checkName("userName", name, 64); err != nil {
		return nil, err
	}
	path, err := checkPath(p.get("Path"))
	if err != nil {
		return nil, err
	}
	tags, err := p.tags()
	if err != nil {
		return nil, err
	}
	if _, ok := c.Users[lower(name)]; ok {
		return nil, alreadyExists("User with name " + name + " already exists.")
	}
	u := &user{entity: entity{
		Name: name, Path: path, ID: newID("AIDA", 17), ARN: c.arn("iam", "", "user"+path+name), Created: c.time, Tags: tags,
	}}
	c.Users[lower(name)] = u
	return fields{{"User", u.xml(true)}}, nil
}

func getUser(_ *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	return fields{{"User", u.xml(true)}}, nil
}

func listUsers(c *call, p *parameters) (any, *Error) {
	var all []xmlUser
	for _, name := range slices.Sorted(maps.Keys(c.Users)) {
		if u := c.Users[name]; strings.HasPrefix(u.Path, p.get("PathPrefix")) {
			all = append(all, u.xml(false))
		}
	}
	return paged(p, "Users", all)
}

func deleteUser(c *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	if len(u.Keys) > 0 {
		return nil, deleteConflict("access keys")
	}
	if len(u.Inline) > 0 {
		return nil, deleteConflict("policies")
	}
	c.closeSessions(&u.entity)
	delete(c.Users, lower(u.Name))
	return nil, nil
}
