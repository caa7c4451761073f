package iam

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/managedpolicy"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A state is what IAM keeps in an account. Things refer to each other by ID, and by
// unexported pointers that link sets.
type state struct {
	Alias              string                        `json:"alias,omitempty"`
	Users              map[string]*user              `json:"users"`                        // by name in lower case
	Groups             map[string]*group             `json:"groups"`                       // by name in lower case
	Roles              map[string]*role              `json:"roles"`                        // by name in lower case
	Policies           map[string]*managedPolicy     `json:"policies"`                     // the account's own, by ARN
	Profiles           map[string]*instanceProfile   `json:"instanceProfiles"`             // by name in lower case
	Providers          map[string]*oidcProvider      `json:"identityProviders"`            // by ARN
	MFADevices         map[string]*mfaDevice         `json:"mfaDevices"`                   // by serial number
	Sessions           map[string]*session           `json:"sessions"`                     // by access key ID
	ServerCertificates map[string]*serverCertificate `json:"serverCertificates,omitempty"` // by name in lower case
	SAMLProviders      map[string]*samlProvider      `json:"samlProviders,omitempty"`      // by ARN
	// PasswordPolicy is nil for AWS's default.
	PasswordPolicy *passwordPolicy   `json:"passwordPolicy,omitempty"`
	Report         *credentialReport `json:"credentialReport,omitempty"`
	// Outbound is nil until outbound federation is enabled for the first time.
	Outbound *outbound `json:"outboundFederation,omitempty"`
	// Deletions are the last tasks that deleted service-linked roles, the oldest first.
	Deletions []string `json:"deletions,omitempty"`

	// reports are the last reports of accesses, the oldest first. A restart loses them.
	reports       []*accessReport
	keys          map[string]*accessKey // of users, by access key ID
	members       memberships
	awsPolicies   *managedpolicy.Catalog
	administrator Key
}

func newState(awsPolicies *managedpolicy.Catalog) *state {
	return &state{
		Users: map[string]*user{}, Groups: map[string]*group{}, Roles: map[string]*role{}, Policies: map[string]*managedPolicy{},
		Profiles: map[string]*instanceProfile{}, Providers: map[string]*oidcProvider{}, MFADevices: map[string]*mfaDevice{},
		ServerCertificates: map[string]*serverCertificate{}, SAMLProviders: map[string]*samlProvider{},
		Sessions: map[string]*session{}, keys: map[string]*accessKey{}, awsPolicies: awsPolicies,
	}
}

// Check validates a state, everything is present and under the right key, and links it.
func (s *state) Check() error {
	if err := cmp.Or(
		account.CheckAll("user", s.Users, func(u *user) (string, error) { return lower(u.Name), errors.Join(u.check(), u.checkKeys()) }),
		account.CheckAll("group", s.Groups, func(g *group) (string, error) { return lower(g.Name), g.check() }),
		account.CheckAll("role", s.Roles, func(r *role) (string, error) { return lower(r.Name), errors.Join(r.check(), r.Trust.check()) }),
		account.CheckAll("policy", s.Policies, func(p *managedPolicy) (string, error) { return p.ARN, p.check() }),
		account.CheckAll("instance profile", s.Profiles, func(p *instanceProfile) (string, error) { return lower(p.Name), nil }),
		account.CheckAll("identity provider", s.Providers, func(p *oidcProvider) (string, error) { return p.ARN, nil }),
		account.CheckAll("MFA device", s.MFADevices, func(d *mfaDevice) (string, error) { return d.Serial, nil }),
		account.CheckAll("server certificate", s.ServerCertificates, func(c *serverCertificate) (string, error) { return lower(c.Name), nil }),
		account.CheckAll("SAML provider", s.SAMLProviders, func(p *samlProvider) (string, error) { return p.ARN, nil }),
		s.passwordPolicy().check(),
		account.CheckAll("session", s.Sessions, func(s *session) (string, error) { return s.AccessKeyID, nil }),
	); err != nil {
		return err
	}
	return s.link()
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
	switch {
	case slices.Contains(u.Keys, nil):
		return errors.New("an access key is null")
	case slices.Contains(u.SSHKeys, nil):
		return errors.New("an SSH public key is null")
	case slices.Contains(u.Certificates, nil):
		return errors.New("a signing certificate is null")
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
				return fmt.Errorf("access key %s is in it twice", key.ID)
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
func (s *state) groupsOf(tx *account.Tx, userID string) []*group {
	if changes := tx.Account.Changes(); s.members.groups == nil || s.members.changes != changes {
		s.members = memberships{changes, map[string][]*group{}}
		for _, name := range slices.Sorted(maps.Keys(s.Groups)) {
			g := s.Groups[name]
			for _, member := range g.Members {
				s.members.groups[member] = append(s.members.groups[member], g)
			}
		}
	}
	return s.members.groups[userID]
}

type document = account.Document

func parseDocument(text string, parse func([]byte) (*policy.Document, error)) (document, error) {
	parsed, err := parse([]byte(text))
	if err != nil {
		return document{}, malformedPolicy(err)
	}
	return document{Document: parsed, Text: text}, nil
}

// A trustDocument is the trust policy of a role, like a document.
type trustDocument struct {
	*policy.Document
	text string
}

// MarshalText returns the policy's text.
func (d trustDocument) MarshalText() ([]byte, error) { return []byte(d.text), nil }

// UnmarshalText parses the policy of a state, which was accepted before.
func (d *trustDocument) UnmarshalText(text []byte) (err error) {
	d.text = string(text)
	d.Document, err = policy.ParseStoredTrust(text)
	return err
}

// lower returns the key of a case-insensitive name.
func lower(name string) string { return strings.ToLower(name) }
