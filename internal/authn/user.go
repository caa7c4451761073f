package authn

import (
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// userInfo is the Kubernetes user of an identity. UID and the keys of Extra are
// those of aws-iam-authenticator: audit logs and policies read them.
func userInfo(id identity.Principal, match mapper.Match, scrubbed bool) authenticationv1.UserInfo {
	info := authenticationv1.UserInfo{Username: match.Username, Groups: match.Groups}
	if scrubbed {
		info.UID = "aws-iam-authenticator:administrative:" + match.Username
		return info
	}
	info.UID = "aws-iam-authenticator:" + id.AccountID + ":" + id.PrincipalID
	info.Extra = map[string]authenticationv1.ExtraValue{
		"arn":          {id.ARN},
		"canonicalArn": {id.CanonicalARN},
		"sessionName":  {id.SessionName},
		"accessKeyId":  {id.AccessKeyID},
		"principalId":  {id.PrincipalID},
		"sigs.k8s.io/aws-iam-authenticator/principalId": {id.PrincipalID},
	}
	return info
}
