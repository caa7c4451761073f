package authn

import (
	"context"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
)

// AuthenticateToken implements the token authenticator of k8s.io/apiserver. An
// undecided outcome is an error.
func (a *Authenticator) AuthenticateToken(ctx context.Context, bearer string) (*authenticator.Response, bool, error) {
	d := a.Authenticate(ctx, bearer)
	switch d.Outcome.Verdict() {
	case Yes:
		info := &user.DefaultInfo{Name: d.User.Username, UID: d.User.UID, Groups: d.User.Groups, Extra: map[string][]string{}}
		for _, extra := range d.User.Extra {
			info.Extra[extra.Key] = []string{extra.Value}
		}
		return &authenticator.Response{User: info}, true, nil
	case No:
		return nil, false, nil
	default:
		return nil, false, d.Err
	}
}

var _ authenticator.Token = (*Authenticator)(nil)
