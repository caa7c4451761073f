package localaws

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A user of IAM.
type user struct {
	name, path, id, arn string
	created             time.Time
	tags                []tag
	policies            inlinePolicies
	keys                []*userKey
}

// A userKey is an access key of a user.
type userKey struct {
	user       *user
	id, secret string
	active     bool
	created    time.Time
}

const administratorName = "administrator"

// addAdministrator makes the user who may do all.
func (a *AWS) addAdministrator(key AccessKey) error {
	if key == (AccessKey{}) {
		key = AccessKey{newID("AKIA", 16), newSecret()}
	}
	u := &user{name: administratorName, path: "/", id: newID("AIDA", 17), created: a.now()}
	u.arn = a.arn("iam", "", "user/"+u.name)
	if e := u.policies.put("AdministratorAccess", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`, u.name, maxUserPolicies); e != nil {
		return e
	}
	a.users[u.name] = u
	a.addKey(&userKey{user: u, id: key.ID, secret: key.Secret, active: true, created: a.now()})
	a.administrator = key
	return nil
}

func (a *AWS) addKey(key *userKey) {
	key.user.keys = append(key.user.keys, key)
	a.keys[key.id] = key
}

// userARN is the ARN of the user called name, if there is one, else that of one
// who would be made. Without a name it is the caller's.
func (c *call) userARN(name, path string) string {
	if name == "" && c.caller.user != nil {
		return c.caller.user.arn
	}
	if u, ok := c.users[strings.ToLower(name)]; ok {
		return u.arn
	}
	return c.arn("iam", "", "user"+orSlash(path)+name)
}

// user that a call is about; the caller's own unless it names one.
func (p *parameters) user() (*user, *Error) {
	name := p.get("UserName")
	if name == "" && p.caller.user != nil {
		return p.caller.user, nil
	}
	if name == "" {
		return nil, newError(http.StatusBadRequest, "ValidationError", "Must specify userName when calling with non-User credentials")
	}
	u, ok := p.users[strings.ToLower(name)]
	if !ok {
		return nil, newError(http.StatusNotFound, "NoSuchEntity", "The user with name "+name+" cannot be found.")
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
	x := xmlUser{Path: u.path, UserName: u.name, UserID: u.id, Arn: u.arn, CreateDate: timestamp(u.created)}
	if withTags && len(u.tags) > 0 {
		x.Tags = &members[tag]{u.tags}
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
	if _, ok := c.users[strings.ToLower(name)]; ok {
		return nil, newError(http.StatusConflict, "EntityAlreadyExists", "User with name "+name+" already exists.")
	}
	u := &user{name: name, path: path, id: newID("AIDA", 17), arn: c.arn("iam", "", "user"+path+name), created: c.time, tags: tags}
	c.users[strings.ToLower(name)] = u
	return struct{ User xmlUser }{u.xml(true)}, nil
}

func getUser(_ *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	return struct{ User xmlUser }{u.xml(true)}, nil
}

func listUsers(c *call, p *parameters) (any, *Error) {
	var all []xmlUser
	for _, name := range slices.Sorted(maps.Keys(c.users)) {
		if u := c.users[name]; strings.HasPrefix(u.path, p.get("PathPrefix")) {
			all = append(all, u.xml(false))
		}
	}
	items, truncated, marker, err := page(p, all)
	return struct {
		Users       members[xmlUser]
		IsTruncated bool
		Marker      string `xml:",omitempty"`
	}{members[xmlUser]{items}, truncated, marker}, err
}

func deleteUser(c *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	if len(u.keys) > 0 {
		return nil, newError(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete access keys first.")
	}
	if len(u.policies) > 0 {
		return nil, newError(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	delete(c.users, strings.ToLower(u.name))
	return nil, nil
}

type xmlAccessKey struct {
	UserName        string
	AccessKeyID     string `xml:"AccessKeyId"`
	Status          string
	SecretAccessKey string `xml:",omitempty"`
	CreateDate      timestamp
}

func (k *userKey) xml() xmlAccessKey {
	x := xmlAccessKey{UserName: k.user.name, AccessKeyID: k.id, Status: "Inactive", CreateDate: timestamp(k.created)}
	if k.active {
		x.Status = "Active"
	}
	return x
}

func createAccessKey(c *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	if len(u.keys) >= 2 {
		return nil, newError(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
	}
	key := &userKey{user: u, id: newID("AKIA", 16), secret: newSecret(), active: true, created: c.time}
	c.addKey(key)
	x := key.xml()
	x.SecretAccessKey = key.secret // this once
	return struct{ AccessKey xmlAccessKey }{x}, nil
}

func listAccessKeys(_ *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	var all []xmlAccessKey
	for _, key := range u.keys {
		all = append(all, key.xml())
	}
	items, truncated, marker, err := page(p, all)
	return struct {
		UserName          string
		AccessKeyMetadata members[xmlAccessKey]
		IsTruncated       bool
		Marker            string `xml:",omitempty"`
	}{u.name, members[xmlAccessKey]{items}, truncated, marker}, err
}

// accessKey that a call is about, which must be the user's.
func (p *parameters) accessKey() (*userKey, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	key, ok := p.keys[p.get("AccessKeyId")]
	if !ok || key.user != u {
		return nil, newError(http.StatusNotFound, "NoSuchEntity", "The Access Key with id "+p.get("AccessKeyId")+" cannot be found.")
	}
	return key, nil
}

func updateAccessKey(_ *call, p *parameters) (any, *Error) {
	key, err := p.accessKey()
	if err != nil {
		return nil, err
	}
	switch p.get("Status") {
	case "Active":
		key.active = true
	case "Inactive":
		key.active = false
	default:
		return nil, invalid("status", "failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]")
	}
	return nil, nil
}

func deleteAccessKey(c *call, p *parameters) (any, *Error) {
	key, err := p.accessKey()
	if err != nil {
		return nil, err
	}
	delete(c.keys, key.id)
	key.user.keys = slices.DeleteFunc(key.user.keys, func(k *userKey) bool { return k == key })
	return nil, nil
}
