package sts

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	// Region is the region whose STS answers.
	Region = "eu-west-2"
	// DeadRegion is the region whose STS accepts connections and stays silent.
	DeadRegion = "me-south-1"

	accountID = "111122223333"
	knownKey  = "AKIABENCHUSER"
)

// Key returns the access key ID of a user.
func Key(user int) string { return fmt.Sprintf("%s%07d", knownKey, user) }

// UnknownKey returns an access key ID of no user.
func UnknownKey(n int) string { return fmt.Sprintf("AKIANOBODY%010d", n) }

// ARN returns the ARN that STS returns for a user's key.
func ARN(user int) string { return fmt.Sprintf("arn:aws:iam::%s:user/u%d", accountID, user) }

// An Identity is what STS returns for an access key.
type Identity struct{ Account, ARN, UserID string }

// Know gives an access key an identity of its own.
func (s *Standin) Know(key string, identity Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identities[key] = identity
}

// identityOf returns the identity of an access key ID.
func (s *Standin) identityOf(key string) (Identity, bool) {
	if user, ok := userOf(key); ok {
		return Identity{accountID, ARN(user), fmt.Sprintf("AIDABENCHUSER%07d", user)}, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	identity, ok := s.identities[key]
	return identity, ok
}

// userOf returns the user of an access key ID.
func userOf(key string) (int, bool) {
	digits, ok := strings.CutPrefix(key, knownKey)
	if !ok {
		return 0, false
	}
	user, err := strconv.Atoi(digits)
	return user, err == nil
}

// keyOf returns the access key ID in the query of a presigned URL.
func keyOf(query string) string {
	_, credential, _ := strings.Cut(query, "X-Amz-Credential=")
	key, _, _ := strings.Cut(credential, "%2F")
	return key
}
