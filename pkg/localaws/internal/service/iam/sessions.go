package iam

import (
	"maps"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// A session is a set of temporary credentials, with whose it is.
type session struct {
	account.Session

	role *role
	user *user
}

// link sets whose session it is.
func (o *session) link(s *state) {
	if o.RoleID != "" {
		for _, r := range s.Roles {
			if r.ID == o.RoleID {
				o.role = r
			}
		}
		return
	}
	for _, u := range s.Users {
		if u.ID == o.UserID {
			o.user = u
		}
	}
}

// closeSessions ends the sessions of a deleted user or role.
func (s *state) closeSessions(of *entity) {
	maps.DeleteFunc(s.Sessions, func(_ string, session *session) bool {
		return session.RoleID == of.ID || session.UserID == of.ID
	})
}
