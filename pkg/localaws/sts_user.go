package localaws

import (
	"net/http"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// maxUserSession bounds a session of a user or a federated user in seconds: 36
// hours.
const maxUserSession = 129600

type getSessionTokenResult struct{ Credentials credentials }

func getSessionToken(c *call, p *parameters) (any, *Error) {
	duration, err := p.duration(maxUserSession, 12*time.Hour)
	if err != nil {
		return nil, err
	}
	mfa, err := p.mfa()
	if err != nil {
		return nil, err
	}
	s := &session{user: c.caller.user, Session: account.Session{UserID: c.caller.user.ID, MFA: mfa}}
	c.open(s, duration)
	return getSessionTokenResult{s.credentials()}, nil
}

// mfa reports whether a call proves possession of an MFA device.
func (p *parameters) mfa() (bool, *Error) {
	serial, err := p.optional("SerialNumber", 9, 256, externalIDPattern)
	if err != nil {
		return false, err
	}
	code, err := p.optional("TokenCode", 6, 6, digitPattern)
	if err != nil || serial == "" && code == "" {
		return false, err
	}
	if serial == "" || code == "" {
		return false, mfaFailed(", must provide both MFA serial number and one time pass code.")
	}
	device, ok := p.state.MFADevices[serial]
	if !ok || p.caller.user == nil || device.UserID != p.caller.user.ID || device.Enabled.IsZero() {
		return false, mfaFailed(", unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
	}
	if !device.accepts(code, p.time) {
		return false, mfaFailed(" with invalid MFA one time pass code.")
	}
	return true, nil
}

func mfaFailed(why string) *Error {
	return newError(http.StatusForbidden, api.CodeAccessDenied, "MultiFactorAuthentication failed"+why)
}

type federatedUser struct {
	FederatedUserID string `xml:"FederatedUserId" json:"FederatedUserId"`
	Arn             string
}

type getFederationTokenResult struct {
	Credentials      credentials
	FederatedUser    federatedUser
	PackedPolicySize int `xml:",omitempty" json:",omitempty"`
}

// federatedUserARN returns the ARN of the federated user in a call.
func federatedUserARN(p *parameters) string {
	return p.arn("sts", "", "federated-user/"+p.get("Name"))
}

func getFederationToken(c *call, p *parameters) (any, *Error) {
	s := &session{user: c.caller.user, Session: account.Session{UserID: c.caller.user.ID, Federated: true}}
	var err *Error
	if s.Name, err = p.required("Name", 2, 32, sessionNamePattern); err != nil {
		return nil, err
	}
	duration, err := p.duration(maxUserSession, 12*time.Hour)
	if err != nil {
		return nil, err
	}
	if s.Tags, err = p.tags(); err != nil {
		return nil, err
	}
	if len(s.Tags) > 0 {
		if err := c.authorize("sts:TagSession", federatedUserARN(p), tagKeys(s.Tags)); err != nil {
			return nil, err
		}
	}
	packed, err := p.bound(s, s.Tags)
	if err != nil {
		return nil, err
	}
	c.open(s, duration)
	who := c.sessionCaller(s)
	return getFederationTokenResult{s.credentials(), federatedUser{who.UserID, who.ARN}, packed}, nil
}
