// Package identity says who AWS says is calling.
//
// An [Identity] is made from the answer of sts:GetCallerIdentity and from
// nothing else: it is proof, not a claim. [New] checks that the three parts of
// the answer agree with one another.
package identity

import (
	"fmt"
	"strings"
)

// Identity is the caller that AWS vouched for. It is comparable; the zero
// value is nobody.
type Identity struct {
	// ARN as STS answered it, in its original case:
	// arn:aws:sts::231144931069:assumed-role/admin/alice.
	ARN string
	// CanonicalARN is what mappings are written for: an assumed role's session
	// ARN becomes its role's, arn:aws:iam::231144931069:role/admin; every
	// other ARN stays as it is.
	CanonicalARN string
	// Partition of the ARN: aws, aws-cn, aws-us-gov, …
	Partition string
	// AccountID is the account's 12 digits.
	AccountID string
	// UserID as STS answered it: AROAEXAMPLE:alice.
	UserID string
	// PrincipalID is UserID without the session: it stays the same for all
	// sessions of a role, and changes when a user or role is made anew.
	PrincipalID string
	// SessionName of an assumed role; empty for all others. Whoever may assume
	// the role chooses it, unless AWS does (for EC2 it is the instance ID).
	SessionName string
	// AccessKeyID that signed the token. New leaves it empty: STS does not
	// answer it, the verifier knows it from the signed request.
	AccessKeyID string
}

// Kind of principal.
type Kind int

// The kinds of principal that STS answers.
const (
	KindUnknown Kind = iota
	KindUser
	KindRole
	KindFederatedUser
	KindRoot
)

// New makes an identity of the three parts of STS's answer. The error says
// which part is wrong, and satisfies errors.Is with [ErrInvalid].
func New(account, arn, userID string) (Identity, error) {
	a, err := parseARN(arn)
	if err != nil {
		return Identity{}, err
	}
	if a.account != account {
		return Identity{}, fmt.Errorf("%w: its ARN is of account %q, its account is %q", ErrInvalid, a.account, account)
	}
	id := Identity{
		ARN:          arn,
		CanonicalARN: a.canonical(),
		Partition:    a.partition,
		AccountID:    account,
		UserID:       userID,
		PrincipalID:  userID,
	}
	if a.kind != KindRole {
		if userID == "" {
			return Identity{}, fmt.Errorf("%w: it has no user ID", ErrInvalid)
		}
		return id, nil
	}
	if a.session == "" {
		return Identity{}, fmt.Errorf("%w: %q is a role, and roles do not sign requests", ErrInvalid, arn)
	}
	// The session is the user ID's last part too, and never has a colon.
	principal, ok := strings.CutSuffix(userID, ":"+a.session)
	if !ok || principal == "" {
		return Identity{}, fmt.Errorf("%w: its user ID is not one of session %q", ErrInvalid, a.session)
	}
	id.PrincipalID, id.SessionName = principal, a.session
	return id, nil
}
