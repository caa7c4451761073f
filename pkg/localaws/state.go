package localaws

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A state is all the data of an account, as in a state file and in exports. Things
// refer to each other by ID, and by unexported pointers that link sets.
type state struct {
	Version    int                         `json:"version"`
	Account    string                      `json:"account"`
	Alias      string                      `json:"alias,omitempty"`
	Users      map[string]*user            `json:"users"`             // by name in lower case
	Groups     map[string]*group           `json:"groups"`            // by name in lower case
	Roles      map[string]*role            `json:"roles"`             // by name in lower case
	Policies   map[string]*managedPolicy   `json:"policies"`          // the account's own, by ARN
	Profiles   map[string]*instanceProfile `json:"instanceProfiles"`  // by name in lower case
	Providers  map[string]*oidcProvider    `json:"identityProviders"` // by ARN
	MFADevices map[string]*mfaDevice       `json:"mfaDevices"`        // by serial number
	Sessions   map[string]*session         `json:"sessions"`          // by access key ID
	Clusters   map[string]*cluster         `json:"clusters"`          // by ARN
	Instances  map[string]*instance        `json:"instances"`         // by ID
	// Deletions are the tasks that deleted service-linked roles.
	Deletions []string `json:"deletions,omitempty"`

	keys map[string]*accessKey // of users, by access key ID
}

// stateVersion is the version of the state's JSON.
const stateVersion = 1

func newState(account string) *state {
	return &state{
		Version: stateVersion, Account: account,
		Users: map[string]*user{}, Groups: map[string]*group{}, Roles: map[string]*role{}, Policies: map[string]*managedPolicy{},
		Profiles: map[string]*instanceProfile{}, Providers: map[string]*oidcProvider{}, MFADevices: map[string]*mfaDevice{},
		Sessions: map[string]*session{}, Clusters: map[string]*cluster{}, Instances: map[string]*instance{},
		keys: map[string]*accessKey{},
	}
}

// decodeState parses the JSON of a state of the account.
func decodeState(text []byte, account string) (*state, error) {
	// Another version may have fields that this one rejects, so check it first.
	var of struct {
		Version int
		Account string
	}
	if err := json.Unmarshal(text, &of); err != nil {
		return nil, fmt.Errorf("reading the state: %w", located(err, text))
	}
	if of.Version != stateVersion {
		return nil, fmt.Errorf("reading the state: unsupported version %d (supported: %d)", of.Version, stateVersion)
	}
	if of.Account != account {
		return nil, fmt.Errorf("reading the state: it belongs to account %q, not %s", of.Account, account)
	}
	s := newState(account)
	if err := decodeStrictly(text, s); err != nil {
		return nil, fmt.Errorf("reading the state: %w", err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("reading the state: %w", err)
	}
	return s, s.link()
}

// check validates a state: everything is present and under the right key.
func (s *state) check() error {
	return cmp.Or(
		checkAll("user", s.Users, func(u *user) (string, error) { return lower(u.Name), errors.Join(u.check(), u.checkKeys()) }),
		checkAll("group", s.Groups, func(g *group) (string, error) { return lower(g.Name), g.check() }),
		checkAll("role", s.Roles, func(r *role) (string, error) { return lower(r.Name), errors.Join(r.check(), r.Trust.check()) }),
		checkAll("policy", s.Policies, func(p *managedPolicy) (string, error) { return p.ARN, p.check() }),
		checkAll("instance profile", s.Profiles, func(p *instanceProfile) (string, error) { return lower(p.Name), nil }),
		checkAll("identity provider", s.Providers, func(p *oidcProvider) (string, error) { return p.ARN, nil }),
		checkAll("MFA device", s.MFADevices, func(d *mfaDevice) (string, error) { return d.Serial, nil }),
		checkAll("session", s.Sessions, func(s *session) (string, error) { return s.AccessKeyID, nil }),
		checkAll("cluster", s.Clusters, func(c *cluster) (string, error) { return c.ARN, nil }),
		checkAll("instance", s.Instances, func(i *instance) (string, error) { return i.ID, i.check() }),
	)
}

// checkAll validates things of a kind; check returns the key of each and its error.
func checkAll[T any](kind string, things map[string]*T, check func(*T) (string, error)) error {
	if things == nil {
		return fmt.Errorf("every %s: expected an object, not null", kind)
	}
	for key, thing := range things {
		if thing == nil {
			return fmt.Errorf("%s %q is null", kind, key)
		}
		want, err := check(thing)
		if err != nil {
			return fmt.Errorf("%s %q: %w", kind, key, err)
		}
		if key != want {
			return fmt.Errorf("%s %q is stored under the key %q", kind, want, key)
		}
	}
	return nil
}

var errNoDocument = errors.New("a policy has no document")

func (e *entity) check() error {
	for _, inline := range e.Inline {
		if inline.Document.Document == nil {
			return errNoDocument
		}
	}
	return nil
}

func (u *user) checkKeys() error {
	if slices.Contains(u.Keys, nil) {
		return errors.New("an access key is null")
	}
	return nil
}

func (p *managedPolicy) check() error {
	for _, version := range p.Versions {
		if version.Document.Document == nil {
			return errNoDocument
		}
	}
	if !slices.ContainsFunc(p.Versions, func(v policyVersion) bool { return v.ID == p.Default }) {
		return fmt.Errorf("its default version %q does not exist", p.Default)
	}
	return nil
}

// check validates the instance and fills in defaults.
func (i *instance) check() error {
	given := []Instance{i.Instance}
	err := checkInstances(given)
	i.Instance = given[0]
	if i.Tags == nil {
		i.Tags = map[string]string{}
	}
	return err
}

func (d trustDocument) check() error {
	if d.Document == nil {
		return errNoDocument
	}
	return nil
}

// link sets the pointers between the things of a state.
func (s *state) link() error {
	users, roles := map[string]*user{}, map[string]*role{}
	for _, u := range s.Users {
		users[u.ID] = u
		for _, key := range u.Keys {
			if _, twice := s.keys[key.ID]; twice {
				return fmt.Errorf("reading the state: access key %s is in it twice", key.ID)
			}
			key.user, s.keys[key.ID] = u, key
		}
	}
	for _, r := range s.Roles {
		roles[r.ID] = r
	}
	for _, profile := range s.Profiles {
		profile.role = roles[profile.Role]
	}
	for _, device := range s.MFADevices {
		device.user = users[device.UserID]
	}
	for id, session := range s.Sessions {
		if session.user, session.role = users[session.UserID], roles[session.RoleID]; session.user == nil && session.role == nil {
			delete(s.Sessions, id) // drop sessions of deleted users and roles
		}
	}
	return nil
}

// dropExpired drops expired sessions.
func (s *state) dropExpired(now time.Time) {
	maps.DeleteFunc(s.Sessions, func(_ string, session *session) bool { return !now.Before(session.Expires) })
}

// memberships caches the groups of every user by ID, for one number of changes:
// every call needs its caller's, and few calls change any.
type memberships struct {
	changes uint64
	groups  map[string][]*group
}

// groupsOf returns the groups of a user, by name.
func (a *AWS) groupsOf(userID string) []*group {
	if a.members.groups == nil || a.members.changes != a.changes {
		a.members = memberships{a.changes, map[string][]*group{}}
		for _, name := range slices.Sorted(maps.Keys(a.state.Groups)) {
			g := a.state.Groups[name]
			for _, member := range g.Members {
				a.members.groups[member] = append(a.members.groups[member], g)
			}
		}
	}
	return a.members.groups[userID]
}

// A document is an identity policy, as text and parsed.
type document struct {
	*policy.Document
	text string
}

func parseDocument(text string) (document, *Error) {
	parsed, err := policy.Parse([]byte(text))
	if err != nil {
		return document{}, malformedPolicy(err)
	}
	return document{parsed, text}, nil
}

// MarshalText returns the policy's text.
func (d document) MarshalText() ([]byte, error) { return []byte(d.text), nil }

// UnmarshalText parses the policy.
func (d *document) UnmarshalText(text []byte) (err error) {
	d.text = string(text)
	d.Document, err = policy.Parse(text)
	return err
}

// A trustDocument is the trust policy of a role, like a document.
type trustDocument struct {
	*policy.Document
	text string
}

// MarshalText returns the policy's text.
func (d trustDocument) MarshalText() ([]byte, error) { return []byte(d.text), nil }

// UnmarshalText parses the policy.
func (d *trustDocument) UnmarshalText(text []byte) (err error) {
	d.text = string(text)
	d.Document, err = policy.ParseTrust(text)
	return err
}

// lower returns the key of a case-insensitive name.
func lower(name string) string { return strings.ToLower(name) }
