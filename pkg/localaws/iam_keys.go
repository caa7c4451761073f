package localaws

import (
	"slices"
	"time"
)

// An accessKey is a long-term access key of a user.
type accessKey struct {
	ID      string    `json:"id"`
	Secret  string    `json:"secret"`
	Active  bool      `json:"active"`
	Created time.Time `json:"created"`

	user *user
}

func accessKeyOperations() map[string]operation {
	return map[string]operation{
		"CreateAccessKey": write(userResource, createAccessKey, "UserName"),
		"ListAccessKeys":  read(userResource, listAccessKeys, "UserName", "MaxItems", "Marker"),
		"UpdateAccessKey": write(userResource, updateAccessKey, "UserName", "AccessKeyId", "Status"),
		"DeleteAccessKey": write(userResource, deleteAccessKey, "UserName", "AccessKeyId"),
	}
}

func (s *state) addKey(key *accessKey) {
	key.user.Keys = append(key.user.Keys, key)
	s.keys[key.ID] = key
}

type xmlAccessKey struct {
	UserName        string
	AccessKeyID     string `xml:"AccessKeyId"`
	Status          string
	SecretAccessKey string `xml:",omitempty"`
	CreateDate      timestamp
}

func (k *accessKey) xml() xmlAccessKey {
	x := xmlAccessKey{UserName: k.user.Name, AccessKeyID: k.ID, Status: "Inactive", CreateDate: timestamp(k.Created)}
	if k.Active {
		x.Status = "Active"
	}
	return x
}

func createAccessKey(c *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	if len(u.Keys) >= 2 {
		return nil, limitExceeded("Cannot exceed quota for AccessKeysPerUser: 2")
	}
	key := &accessKey{user: u, ID: newID("AKIA", 16), Secret: newSecret(), Active: true, Created: c.time}
	c.addKey(key)
	x := key.xml()
	x.SecretAccessKey = key.Secret // this once
	return fields{{"AccessKey", x}}, nil
}

func listAccessKeys(_ *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	var all []xmlAccessKey
	for _, key := range u.Keys {
		all = append(all, key.xml())
	}
	list, err := paged(p, "AccessKeyMetadata", all)
	return append(fields{{"UserName", u.Name}}, list...), err
}

// accessKey that a call is about, which must be the user's.
func (p *parameters) accessKey() (*accessKey, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	key, ok := p.keys[p.get("AccessKeyId")]
	if !ok || key.user != u {
		return nil, noSuchEntity("The Access Key with id " + p.get("AccessKeyId") + " cannot be found.")
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
		key.Active = true
	case "Inactive":
		key.Active = false
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
	delete(c.keys, key.ID)
	key.user.Keys = slices.DeleteFunc(key.user.Keys, func(k *accessKey) bool { return k == key })
	return nil, nil
}
