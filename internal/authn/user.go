package authn

import (
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A User is the Kubernetes user that a token signs in as: a UserInfo of
// authentication.k8s.io with ordered extra.
type User struct {
	Username, UID string
	Groups        []string
	// Extra is sorted by key. Each key has one value.
	Extra []Extra
}

// Extra is an attribute of a user for Kubernetes' audit log and policies.
type Extra struct{ Key, Value string }

// newUser returns the Kubernetes user of an identity. UID and the keys of Extra are
// the same as aws-iam-authenticator's, since audit logs and policies read them.
func newUser(id identity.Principal, match mapper.Match, scrubbed bool) User {
	if scrubbed {
		return User{Username: match.Username, Groups: match.Groups, UID: "aws-iam-authenticator:administrative:" + match.Username}
	}
	return User{
		Username: match.Username,
		Groups:   match.Groups,
		UID:      "aws-iam-authenticator:" + id.AccountID + ":" + id.PrincipalID,
		Extra: []Extra{
			{"accessKeyId", id.AccessKeyID},
			{"arn", id.ARN},
			{"canonicalArn", id.CanonicalARN},
			{"principalId", id.PrincipalID},
			{"sessionName", id.SessionName},
			{"sigs.k8s.io/aws-iam-authenticator/principalId", id.PrincipalID},
		},
	}
}
