// Package identity says who AWS says is calling.
//
// A [Principal] is a claim: anybody can make one, to ask what it would map to.
// An [Identity] is a Principal that AWS has proven: only an Identity signs in.
package identity

import (
	"fmt"
	"strings"
)

// Principal is a user, a session of a role, a federated user or an account's
// root, as AWS names it. It is comparable; the zero value names nobody.
type Principal struct {
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

// Answer is what STS answers to GetCallerIdentity.
type Answer struct {
	Account string
	ARN     string
	UserID  string
}

// Identity is a Principal that AWS has proven. The zero value is no identity.
type Identity struct{ principal Principal }

// Proven makes an Identity of the answer of STS to a request that the access key
// signed. The verifier calls it, and nothing else does: the architecture's test
// holds that.
func Proven(answer Answer, accessKeyID string) (Identity, error) {
	principal, err := New(answer)
	if err != nil {
		return Identity{}, err
	}
	principal.AccessKeyID = accessKeyID
	return Identity{principal}, nil
}

// Principal returns who was proven.
func (i Identity) Principal() Principal { return i.principal }

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

// New makes a Principal of the three parts of an answer of STS, and checks that
// they agree with one another. The error says which part is wrong, and satisfies
// errors.Is with [ErrInvalid].
func New(answer Answer) (Principal, error) {
	account, arn, userID := answer.Account, answer.ARN, answer.UserID
	a, err := parseARN(arn)
	if err != nil {
		return Principal{}, err
	}
	if a.account != account {
		return Principal{}, fmt.Errorf("%w: its ARN is of account %q, its account is %q", ErrInvalid, a.account, account)
	}
	p := Principal{
		ARN:          arn,
		CanonicalARN: a.canonical(),
		Partition:    a.partition,
		AccountID:    account,
		UserID:       userID,
		PrincipalID:  userID,
	}
	if a.kind != KindRole {
		if userID == "" {
			return Principal{}, fmt.Errorf("%w: it has no user ID", ErrInvalid)
		}
		return p, nil
	}
	if a.session == "" {
		return Principal{}, fmt.Errorf("%w: %q is a role, and roles do not sign requests", ErrInvalid, arn)
	}
	// The session is the user ID's last part too, and never has a colon.
	principal, ok := strings.CutSuffix(userID, ":"+a.session)
	if !ok || principal == "" {
		return Principal{}, fmt.Errorf("%w: its user ID is not one of session %q", ErrInvalid, a.session)
	}
	p.PrincipalID, p.SessionName = principal, a.session
	return p, nil
}
