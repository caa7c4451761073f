package authn

import (
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A User is who a token signs in as: a UserInfo of authentication.k8s.io, whose
// extra is in order.
type User struct {
	Username, UID string
	Groups        []string
	// Extra is in the order of its keys, each of which has one value.
	Extra []Extra
}

// Extra is what Kubernetes' audit log and policies learn of a user besides.
type Extra struct{ Key, Value string }

// newUser is the Kubernetes user of an identity. UID and the keys of Extra are
// those of aws-iam-authenticator: audit logs and policies read them.
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
