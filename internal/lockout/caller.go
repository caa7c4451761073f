package lockout

import (
	"strings"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// Caller returns the AWS identity that the authenticator verified for a Kubernetes user,
// from the user's extra; nil if the user signed in by another way.
func Caller(extra map[string][]string) *identity.Principal {
	first := func(key string) string { return strings.Join(extra[key], "") }
	canonical := first("canonicalArn")
	// arn:PARTITION:iam::ACCOUNT:...
	parts := strings.SplitN(canonical, ":", 6)
	if len(parts) < 6 {
		return nil
	}
	return &identity.Principal{
		ARN: first("arn"), CanonicalARN: canonical, Partition: parts[1], AccountID: parts[4],
		PrincipalID: first("principalId"), SessionName: first("sessionName"), AccessKeyID: first("accessKeyId"),
	}
}
