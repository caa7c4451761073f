package iam

import (
	"slices"
	"strconv"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// An accessKey is a long-term access key of a user.
type accessKey struct {
	ID      string    `json:"id"`
	Secret  string    `json:"secret"`
	Active  bool      `json:"active"`
	Created time.Time `json:"created"`
	LastUse keyUse    `json:"lastUse,omitzero"`

	user *user
}

// A keyUse records when, for which service and where a key was last used.
type keyUse struct {
	Time    time.Time `json:"time"`
	Service string    `json:"service"`
	Region  string    `json:"region"`
}

const maxKeys = 2 // per user

func accessKeyOperations() map[string]operation {
	return map[string]operation{
		"CreateAccessKey":      write(userResource, createAccessKey, "UserName"),
		"ListAccessKeys":       read(userResource, listAccessKeys, "UserName", "MaxItems", "Marker"),
		"UpdateAccessKey":      write(userResource, updateAccessKey, "UserName", "AccessKeyId", "Status"),
		"DeleteAccessKey":      write(userResource, deleteAccessKey, "UserName", "AccessKeyId"),
		"GetAccessKeyLastUsed": read(keyOwner, getAccessKeyLastUsed, "AccessKeyId"),
	}
}

// keyOwner returns the ARN of the user whose key a call names, or a wildcard ARN if
// the key does not exist.
func keyOwner(c *call) string {
	if key, ok := c.state.keys[c.Get("AccessKeyId")]; ok {
		return key.user.ARN
	}
	return c.ARN("iam", "", "user/*")
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
	return xmlAccessKey{UserName: k.user.Name, AccessKeyID: k.ID, Status: status(k.Active), CreateDate: timestamp(k.Created)}
}

// status is that of a key or a certificate.
func status(active bool) string {
	if active {
		return "Active"
	}
	return "Inactive"
}

// status returns the new status in a call.
func (c *call) status() (active bool, err error) {
	if !c.Has("Status") {
		return false, missing("status")
	}
	word, err := c.word("Status", "Active", "Inactive")
	return word == "Active", err
}

func createAccessKey(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	if len(u.Keys) >= maxKeys {
		return nil, limitExceeded("Cannot exceed quota for AccessKeysPerUser: " + strconv.Itoa(maxKeys))
	}
	key := &accessKey{user: u, ID: account.NewID("AKIA", 16), Secret: account.NewSecret(), Active: true, Created: c.Time}
	c.state.addKey(key)
	x := key.xml()
	x.SecretAccessKey = key.Secret // only this response contains it
	return fields{element("AccessKey", x)}, nil
}

func listAccessKeys(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	var all []xmlAccessKey
	for _, key := range u.Keys {
		all = append(all, key.xml())
	}
	list, err := paged(c, "AccessKeyMetadata", all)
	return append(fields{element("UserName", u.Name)}, list...), err
}

var keyIDPattern = pattern.New(`^\w{16,128}$`)

// accessKey returns the access key that a call names, of any user.
func (c *call) accessKey() (*accessKey, error) {
	id := c.Get("AccessKeyId")
	if !keyIDPattern.MatchString(id) {
		return nil, invalid("accessKeyId", `failed to satisfy constraint: Member must satisfy regular expression pattern: [\w]{16,128}`)
	}
	key, ok := c.state.keys[id]
	if !ok {
		return nil, noSuchEntity("The Access Key with id " + id + " cannot be found.")
	}
	return key, nil
}

// usersKey returns the access key that a call names, which must belong to the user.
func (c *call) usersKey() (*accessKey, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	key, err := c.accessKey()
	if err != nil {
		return nil, err
	}
	if key.user != u {
		return nil, noSuchEntity("The Access Key with id " + key.ID + " cannot be found.")
	}
	return key, nil
}

func updateAccessKey(c *call) (any, error) {
	key, err := c.usersKey()
	if err != nil {
		return nil, err
	}
	active, err := c.status()
	if err != nil {
		return nil, err
	}
	key.Active = active
	return nil, nil
}

func deleteAccessKey(c *call) (any, error) {
	key, err := c.usersKey()
	if err != nil {
		return nil, err
	}
	delete(c.state.keys, key.ID)
	key.user.Keys = slices.DeleteFunc(key.user.Keys, func(k *accessKey) bool { return k == key })
	return nil, nil
}

func getAccessKeyLastUsed(c *call) (any, error) {
	key, err := c.accessKey()
	if err != nil {
		return nil, err
	}
	use := fields{element("ServiceName", "N/A"), element("Region", "N/A")}
	if !key.LastUse.Time.IsZero() {
		use = fields{element("LastUsedDate", timestamp(key.LastUse.Time)), element("ServiceName", key.LastUse.Service), element("Region", key.LastUse.Region)}
	}
	return fields{element("UserName", key.user.Name), element("AccessKeyLastUsed", use)}, nil
}
