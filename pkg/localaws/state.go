package localaws

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A state is all that the account holds: what a state file keeps, and what is
// exported and imported. What refers to another thing does so by its ID, and by
// an unexported pointer that link sets.
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

// stateVersion is that of the state's JSON.
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

// decodeState reads the JSON of a state of the account.
func decodeState(text []byte, account string) (*state, error) {
	s := newState(account)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("reading the state: %w", err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("reading the state: it has version %d, and this localaws reads version %d", s.Version, stateVersion)
	}
	if s.Account != account {
		return nil, fmt.Errorf("reading the state: it is of account %s, not %s", s.Account, account)
	}
	return s, s.link()
}

// link sets the pointers between the things of a state that was read.
func (s *state) link() error {
	users, roles := map[string]*user{}, map[string]*role{}
	for _, u := range s.Users {
		users[u.ID] = u
		for _, key := range u.Keys {
			if _, twice := s.keys[key.ID]; twice {
				return fmt.Errorf("reading the state: access key %s stands in it twice", key.ID)
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
			delete(s.Sessions, id) // whose it was is gone, and so is it
		}
	}
	return nil
}

// A document is an identity policy: as it was written, and as it was understood.
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

// MarshalText is the policy as it was written.
func (d document) MarshalText() ([]byte, error) { return []byte(d.text), nil }

// UnmarshalText parses it again.
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

// MarshalText is the policy as it was written.
func (d trustDocument) MarshalText() ([]byte, error) { return []byte(d.text), nil }

// UnmarshalText parses it again.
func (d *trustDocument) UnmarshalText(text []byte) (err error) {
	d.text = string(text)
	d.Document, err = policy.ParseTrust(text)
	return err
}

// lower is how names are told apart: without regard to case.
func lower(name string) string { return strings.ToLower(name) }
