package sts

import (
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// maxUserSession bounds a session of a user or a federated user in seconds: 36
// hours.
const maxUserSession = 129600

func userOperations() []api.Operation {
	return []api.Operation{
		// It needs no permission, and no policy can deny it.
		api.Define(api.Definition[sessionTokenInput]{
			Facts:  api.Facts{Name: "GetSessionToken", ReadOnly: true, Accepts: []string{"DurationSeconds", "SerialNumber", "TokenCode"}},
			Decode: decodeGetSessionToken, Run: getSessionToken,
		}),
		api.Define(api.Definition[federationInput]{
			Facts: api.Facts{Name: "GetFederationToken", ReadOnly: true, Accepts: []string{
				"Name", "DurationSeconds", "Policy", "PolicyArns.member.N.arn", "Tags.member.N.Key", "Tags.member.N.Value",
			}},
			Decode: decodeGetFederationToken, Resource: federatedUserARN, Run: getFederationToken,
			ConditionKeys: func(_ *account.Tx, in federationInput) map[string][]string { return tagKeys(in.session.Tags) },
		}),
	}
}

type sessionTokenInput struct {
	duration time.Duration
	mfa      proof
}

type getSessionTokenResult struct{ Credentials credentials }

func decodeGetSessionToken(input api.Input) (in sessionTokenInput, err error) {
	f := form{Form: input.Form}
	in.duration, in.mfa = f.duration(maxUserSession, 12*time.Hour), f.proof()
	return in, f.err()
}

func getSessionToken(tx *account.Tx, in sessionTokenInput) (any, error) {
	mfa, err := in.mfa.check(tx)
	if err != nil {
		return nil, err
	}
	s := &account.Session{UserID: tx.Caller.Owner.ID, MFA: mfa}
	tx.Identities().OpenSession(tx, s, in.duration)
	return getSessionTokenResult{credentialsOf(s)}, nil
}

// A proof is what proves possession of an MFA device; empty without one.
type proof struct{ serial, code string }

func (f *form) proof() proof {
	return proof{f.optional("SerialNumber", 9, 256, externalIDPattern), f.optional("TokenCode", 6, 6, digitPattern)}
}

// check reports whether a call proves possession of an MFA device.
func (p proof) check(tx *account.Tx) (bool, error) {
	if p == (proof{}) {
		return false, nil
	}
	if p.serial == "" || p.code == "" {
		return false, mfaFailed(", must provide both MFA serial number and one time pass code.")
	}
	switch theirs, accepted := tx.Identities().MFA(tx, p.serial, p.code); {
	case !theirs:
		return false, mfaFailed(", unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
	case !accepted:
		return false, mfaFailed(" with invalid MFA one time pass code.")
	}
	return true, nil
}

func mfaFailed(why string) error { return denied("MultiFactorAuthentication failed" + why) }

type federationInput struct {
	session  account.Session
	duration time.Duration
	limits   limits
}

type federatedUser struct {
	FederatedUserID string `xml:"FederatedUserId" json:"FederatedUserId"`
	Arn             string
}

type getFederationTokenResult struct {
	Credentials      credentials
	FederatedUser    federatedUser
	PackedPolicySize int
}

// federatedUserARN returns the ARN of the federated user in a call.
func federatedUserARN(tx *account.Tx, in federationInput) string {
	return tx.ARN("sts", "", "federated-user/"+in.session.Name)
}

func decodeGetFederationToken(input api.Input) (in federationInput, err error) {
	f := form{Form: input.Form}
	in.session.Name = f.required("Name", 2, 32, sessionNamePattern)
	in.duration, in.session.Tags, in.limits = f.duration(maxUserSession, 12*time.Hour), f.tags(), f.limits()
	if err := f.err(); err != nil {
		return in, err
	}
	if err := checkKeys(in.session.Tags); err != nil {
		return in, err
	}
	err = in.limits.parse(&in.session)
	return in, err // not in one statement, whose order is not specified
}

func getFederationToken(tx *account.Tx, in federationInput) (any, error) {
	if len(in.session.Tags) > 0 {
		if err := tx.Authorize("sts:TagSession", federatedUserARN(tx, in), tagKeys(in.session.Tags)); err != nil {
			return nil, err
		}
	}
	packed, err := in.limits.packed(tx, in.session.Tags)
	if err != nil {
		return nil, err
	}
	in.session.UserID, in.session.Federated = tx.Caller.Owner.ID, true
	who := tx.Identities().OpenSession(tx, &in.session, in.duration)
	return getFederationTokenResult{credentialsOf(&in.session), federatedUser{who.UserID, who.ARN}, packed}, nil
}
