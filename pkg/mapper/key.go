package mapper

import (
	"strings"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// This file defines "the same principal": entries with equal keys are for the same
// principal.

// A key identifies whom an entry or an account is for: a unique ID, a lower-case ARN
// without a role's path, a permission set, or an account.
type key struct {
	userID  string
	arn     string
	sso     ssoKey
	account string
}

type ssoKey struct{ partition, account, permissionSet string }

func (e *Entry) key() key {
	switch {
	case e.UserID != "":
		return key{userID: e.UserID}
	case e.SSO != nil:
		return key{sso: e.SSO.key()}
	}
	arn, _ := withoutPath(lower(e.ARN))
	return key{arn: arn}
}

// names reports whether the ARN of an entry with a unique ID is the principal's.
func (e *Entry) names(principal identity.Principal) bool {
	arn, _ := withoutPath(lower(e.ARN))
	return arn == "" || arn == lower(principal.CanonicalARN)
}

func (s SSO) key() ssoKey {
	partition := lower(s.Partition)
	if partition == "" {
		partition = "aws"
	}
	return ssoKey{partition, s.AccountID, lower(s.PermissionSet)}
}

// ssoKeyOf returns the permission set of a role that IAM Identity Center created, and
// reports whether the role is one.
func ssoKeyOf(principal identity.Principal, lowerARN string) (ssoKey, bool) {
	set, ok := permissionSet(lowerARN)
	return ssoKey{principal.Partition, principal.AccountID, set}, ok
}

// permissionSet returns the permission set in the name of a role that IAM Identity
// Center created: AWSReservedSSO_<permission set>_<16 hexadecimal digits>. It
// requires all 16 digits: otherwise the set Admin would match roles of Admin_ReadOnly.
func permissionSet(lowerARN string) (string, bool) {
	role, _ := roleOf(lowerARN)
	name, ok := strings.CutPrefix(role, "awsreservedsso_")
	i := strings.LastIndexByte(name, '_')
	if !ok || i < 1 || len(name)-i-1 != 16 || !isLowerHex(name[i+1:]) {
		return "", false
	}
	return name[:i], true
}

// resourceOf returns the last part of an ARN, such as role/team/admin. The ARN
// is split from the left, since the path of a user may contain colons.
func resourceOf(arn string) string {
	for range 5 { // arn:partition:iam::account:
		_, arn, _ = strings.Cut(arn, ":")
	}
	return arn
}

// roleOf returns the path and name in a role's ARN.
func roleOf(arn string) (string, bool) { return strings.CutPrefix(resourceOf(arn), "role/") }

// withoutPath returns a role's ARN without its path, and reports whether it had one.
func withoutPath(arn string) (string, bool) {
	role, ok := roleOf(arn)
	i := strings.LastIndexByte(role, '/')
	if !ok || i < 0 {
		return arn, false
	}
	return strings.TrimSuffix(arn, role) + role[i+1:], true
}

// lower returns s with its ASCII letters in lower case. ARNs have no other letters,
// and folding those would make the Kelvin sign match a k.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			return strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, s)
		}
	}
	return s
}
