// Package identity describes who signed a request, as AWS reports it.
//
// A [Principal] is a claim: anybody can make one, to ask what it would map to.
// An [Identity] is a Principal that AWS has proven: only an Identity signs in.
package identity

import (
	"fmt"
	"strings"
)

// Principal is a user, a session of a role, a federated user or an account's root,
// as AWS names it. It is comparable; the zero value is no principal.
type Principal struct {
	// ARN is the ARN that STS returned, in its original case:
	// arn:aws:sts::231144931069:assumed-role/admin/alice.
	ARN string
	// CanonicalARN is the ARN that mappings name: an assumed role's session ARN
	// becomes its role's, arn:aws:iam::231144931069:role/admin; every other ARN
	// stays.
	CanonicalARN string
	// Partition of the ARN: aws, aws-cn, aws-us-gov, …
	Partition string
	// AccountID is the account's 12 digits.
	AccountID string
	// UserID is the user ID that STS returned: AROAEXAMPLE:alice.
	UserID string
	// PrincipalID is UserID without the session: it is the same for all sessions of
	// a role, and changes when a user or role is deleted and created again.
	PrincipalID string
	// SessionName is the session name of an assumed role; empty for others. The
	// caller of AssumeRole chooses it; on EC2, AWS does (the instance ID).
	SessionName string
	// AccessKeyID is the key that signed the token. New leaves it empty: STS does
	// not return it, and the verifier reads it from the signed request.
	AccessKeyID string
}

// Answer is the response of STS to GetCallerIdentity.
type Answer struct {
	Account string
	ARN     string
	UserID  string
}

// Identity is a Principal that AWS has proven. The zero value is no identity.
type Identity struct{ principal Principal }

// Proven returns the Identity in the response of STS to a request that the access
// key signed. Only the verifier calls it, and the architecture's test enforces that.
func Proven(answer Answer, accessKeyID string) (Identity, error) {
	principal, err := New(answer)
	if err != nil {
		return Identity{}, err
	}
	principal.AccessKeyID = accessKeyID
	return Identity{principal}, nil
}

// Principal returns the proven principal.
func (i Identity) Principal() Principal { return i.principal }

// Kind is the kind of a principal.
type Kind int

// The kinds of principal that STS returns.
const (
	KindUnknown Kind = iota
	KindUser
	KindRole
	KindFederatedUser
	KindRoot
)

// New returns the Principal of a response of STS, and checks that its three parts
// agree. The error says which part is wrong and matches [ErrInvalid].
func New(answer Answer) (Principal, error) {
	account, arn, userID := answer.Account, answer.ARN, answer.UserID
	a, err := parseARN(arn)
	if err != nil {
		return Principal{}, err
	}
	if a.account != account {
		return Principal{}, fmt.Errorf("%w: its ARN names account %q, and its account is %q", ErrInvalid, a.account, account)
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
		return Principal{}, fmt.Errorf("%w: its user ID does not end in session name %q", ErrInvalid, a.session)
	}
	p.PrincipalID, p.SessionName = principal, a.session
	return p, nil
}
