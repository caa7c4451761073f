package iam

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// The methods of [account.Identities]: what other services ask of IAM.

var _ account.Identities = (*state)(nil)

// Credentials returns the secret and the owner of an access key ID.
func (s *state) Credentials(tx *account.Tx, accessKeyID, sessionToken string) (secret string, caller *account.Caller, err error) {
	if key, ok := s.keys[accessKeyID]; ok && key.Active && sessionToken == "" {
		return key.Secret, s.userCaller(tx, key.user), nil
	}
	if found, ok := s.Sessions[accessKeyID]; ok && found.Token == sessionToken {
		if !tx.Time.Before(found.Expires) {
			return "", nil, account.ErrExpired
		}
		return found.Secret, s.sessionCaller(tx, found), nil
	}
	return "", nil, account.ErrNoKey
}

// NoteUse records that a key signed a call, of a user or of a session.
func (s *state) NoteUse(tx *account.Tx, operation string) {
	use := keyUse{tx.Time, tx.Service, tx.Region}
	if key, ok := s.keys[tx.AccessKeyID]; ok {
		key.LastUse = use
		key.user.noteAccess(tx, operation)
	} else if opened := s.Sessions[tx.AccessKeyID]; opened.role != nil {
		opened.role.LastUse = use
		opened.role.noteAccess(tx, operation)
	} else {
		opened.user.noteAccess(tx, operation)
	}
}

// KeyExists reports whether a key or a session has the ID.
func (s *state) KeyExists(accessKeyID string) bool {
	_, long := s.keys[accessKeyID]
	_, temporary := s.Sessions[accessKeyID]
	return long || temporary
}

// AccessKeyIDs returns the IDs of all keys and sessions.
func (s *state) AccessKeyIDs() iter.Seq[string] {
	return func(yield func(string) bool) {
		for id := range s.keys {
			if !yield(id) {
				return
			}
		}
		for id := range s.Sessions {
			if !yield(id) {
				return
			}
		}
	}
}

// Session returns the session with an access key.
func (s *state) Session(accessKeyID string) (*account.Session, bool) {
	if found, ok := s.Sessions[accessKeyID]; ok {
		return &found.Session, true
	}
	return nil, false
}

// OpenSession creates the credentials of a session.
func (s *state) OpenSession(tx *account.Tx, opened *account.Session, duration time.Duration) *account.Caller {
	opened.AccessKeyID, opened.Secret, opened.Token = account.NewID("ASIA", 16), account.NewSecret(), account.NewSessionToken()
	opened.Issued, opened.Expires = tx.Time, tx.Time.Add(duration)
	kept := &session{Session: *opened}
	kept.link(s)
	*opened = kept.Session
	// Drop sessions that expired a while ago.
	maps.DeleteFunc(s.Sessions, func(_ string, old *session) bool { return old.Expires.Add(time.Hour).Before(tx.Time) })
	s.Sessions[opened.AccessKeyID] = kept
	tx.Change()
	return s.sessionCaller(tx, kept)
}

// Role returns the role with an ARN.
func (s *state) Role(arn string) (account.Role, bool) {
	if r, ok := s.roleByARN(arn); ok {
		return r.view(), true
	}
	return account.Role{}, false
}

// User returns the user with an ARN.
func (s *state) User(arn string) (account.Owner, bool) {
	u, ok := s.Users[lower(arn[strings.LastIndex(arn, "/")+1:])]
	if !ok || u.ARN != arn {
		return account.Owner{}, false
	}
	return u.owner(), true
}

func (r *role) view() account.Role {
	return account.Role{Owner: r.owner(), Trust: r.Trust.Document, Trusted: r.Trusted, MaxSession: time.Duration(r.MaxSession) * time.Second}
}

func (e *entity) owner() account.Owner {
	return account.Owner{ID: e.ID, Name: e.Name, ARN: e.ARN, Tags: e.Tags}
}

// Profile returns the instance profile with a name.
func (s *state) Profile(name string) (account.Profile, bool) {
	found, ok := s.Profiles[lower(name)]
	if !ok {
		return account.Profile{}, false
	}
	view := account.Profile{ID: found.ID, Name: found.Name, ARN: found.ARN}
	if found.role != nil {
		view.Role = new(found.role.view())
	}
	return view, true
}

// Policy returns the default version of a managed policy; nil if the policy does not
// exist.
func (s *state) Policy(arn string) *policy.Document {
	if m, ok := s.Policies[arn]; ok {
		return m.Versions[m.find(m.Default)].Document.Document
	}
	if p, ok := s.awsPolicies.Get(arn); ok {
		return p.Document
	}
	return nil
}

// Provider returns the provider of an issuer.
func (s *state) Provider(issuer string) (account.Provider, bool) {
	for _, provider := range s.Providers {
		if provider.URL == issuer {
			return account.Provider{
				ARN: provider.ARN, URL: provider.URL,
				ClientIDs: slices.Clone(provider.ClientIDs), Thumbprints: slices.Clone(provider.Thumbprints),
			}, true
		}
	}
	return account.Provider{}, false
}

// MFA reports whether the caller has the device, and whether it accepts the code.
func (s *state) MFA(tx *account.Tx, serial, code string) (theirs, accepted bool) {
	device, ok := s.MFADevices[serial]
	if !ok || tx.Caller.IsRole() || device.UserID != tx.Caller.Owner.ID || device.Enabled.IsZero() {
		return false, false
	}
	return true, device.accepts(code, tx.Time)
}
