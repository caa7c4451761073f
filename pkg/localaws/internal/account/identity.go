package account

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A Tag of a user, a role, a policy or a session.
type Tag struct{ Key, Value string }

// A Document is an identity policy, as text and parsed.
type Document struct {
	*policy.Document
	Text string
}

// MarshalText returns the policy's text.
func (d Document) MarshalText() ([]byte, error) { return []byte(d.Text), nil }

// UnmarshalText parses the policy of a state, which was accepted before.
func (d *Document) UnmarshalText(text []byte) (err error) {
	d.Text = string(text)
	d.Document, err = policy.ParseStored(text)
	return err
}

// Errors of [Identities.Credentials].
var (
	ErrNoKey   = errors.New("no active access key and no session has this ID and token")
	ErrExpired = errors.New("the session has expired")
)

// Identities is what the gateway and other services ask of IAM, which keeps users,
// roles, sessions and whatever they prove themselves with. IAM's section implements
// it. What it returns are views: changing one changes nothing.
type Identities interface {
	// Credentials returns the secret of an access key and its owner, or ErrNoKey or
	// ErrExpired.
	Credentials(tx *Tx, accessKeyID, sessionToken string) (secret string, caller *Caller, err error)
	// NoteUse records that the caller's key signed the call of an operation; empty if
	// the service has no such operation.
	NoteUse(tx *Tx, operation string)

	// KeyExists reports whether a long-term key or a session has the ID.
	KeyExists(accessKeyID string) bool
	// AccessKeyIDs returns the IDs of all long-term keys and sessions.
	AccessKeyIDs() iter.Seq[string]
	// Session returns the session with an access key; the section keeps it.
	Session(accessKeyID string) (*Session, bool)
	// OpenSession makes the credentials of a session, which last for a time from now,
	// and returns who it is. RoleID or UserID says whose session it is.
	OpenSession(tx *Tx, session *Session, duration time.Duration) *Caller

	// Role returns the role with an ARN.
	Role(arn string) (Role, bool)
	// User returns the user with an ARN.
	User(arn string) (Owner, bool)
	// Profile returns the instance profile with a name.
	Profile(name string) (Profile, bool)
	// Policy returns the managed policy with an ARN, the account's own or one of AWS;
	// nil if there is none.
	Policy(arn string) *policy.Document
	// Provider returns the OpenID Connect provider of an issuer.
	Provider(issuer string) (Provider, bool)
	// TokenIssuer returns the issuer of tokens that STS makes for other services, and
	// whether the account issues any.
	TokenIssuer() (issuer string, enabled bool)
	// MFA reports whether the caller has the device, and whether it accepts the code
	// now. A code works once.
	MFA(tx *Tx, serial, code string) (theirs, accepted bool)
}

// TokenIssuerSuffix ends the host names of issuers of tokens.
const TokenIssuerSuffix = ".tokens.sts.global.api.aws"

// Identities returns the account's IAM.
func (tx *Tx) Identities() Identities { return offered[Identities](tx.Account) }

// An Owner is the user or the role whose permissions a caller has.
type Owner struct {
	ID, Name, ARN string
	Tags          []Tag
}

// A Caller is who signed a call: a user, or a session of a user or of a role.
type Caller struct {
	// ARN and UserID are what GetCallerIdentity returns.
	ARN, UserID string
	Owner       Owner
	// Principal is the caller as policies name it.
	Principal policy.Principal
	Policies  policy.Policies
	// Session is nil for a user's long-term key.
	Session *Session
}

// IsRole reports whether the caller is a session of a role.
func (c *Caller) IsRole() bool { return c.Session != nil && c.Session.RoleID != "" }

// IsFederated reports whether the caller is a federated user.
func (c *Caller) IsFederated() bool { return c.Session != nil && c.Session.Federated }

// Keys returns the condition keys of the caller.
func (c *Caller) Keys(now time.Time) map[string][]string {
	keys := map[string][]string{
		"aws:principalaccount": {c.Principal.AccountID},
		"aws:principalarn":     {c.Owner.ARN},
		"aws:userid":           {c.UserID},
	}
	switch {
	case c.IsRole():
		keys["aws:principaltype"] = []string{"AssumedRole"}
	case c.IsFederated():
		keys["aws:principaltype"] = []string{"FederatedUser"}
		keys["aws:principalarn"] = []string{c.ARN}
	default:
		keys["aws:principaltype"] = []string{"User"}
		keys["aws:username"] = []string{c.Owner.Name}
	}
	tags := c.Owner.Tags
	if c.Session != nil { // those of the session override
		tags = slices.Concat(tags, c.Session.Tags)
		maps.Copy(keys, c.Session.Keys(now)) // a long-term key has none of these keys
	}
	for _, tag := range tags {
		keys["aws:principaltag/"+strings.ToLower(tag.Key)] = []string{tag.Value}
	}
	return keys
}

// Creator returns the ARN that maps the caller as the owner of what it creates: for a
// session of a role, the role's ARN without its path, because STS drops the path.
func (tx *Tx) Creator() string {
	if tx.Caller.IsRole() {
		return tx.ARN("iam", "", "role/"+tx.Caller.Owner.Name)
	}
	return tx.Caller.ARN
}

// A Session is a set of temporary credentials, of an assumed role, a user or a
// federated user.
type Session struct {
	AccessKeyID string    `json:"accessKeyID"`
	Secret      string    `json:"secret"`
	Token       string    `json:"token"`
	Issued      time.Time `json:"issued"`
	Expires     time.Time `json:"expires"`
	// RoleID is set for a session of a role, UserID for others.
	RoleID string `json:"roleID,omitempty"`
	UserID string `json:"userID,omitempty"`
	// Name is the name of a role's session or of a federated user.
	Name      string `json:"name,omitempty"`
	Federated bool   `json:"federated,omitempty"`
	// Policy and PolicyARNs limit the session's permissions.
	Policy     Document `json:"policy,omitzero"`
	PolicyARNs []string `json:"policyARNs,omitempty"`
	// Tags are the session tags. Transitive ones pass to the sessions of roles that
	// this session assumes.
	Tags       []Tag    `json:"tags,omitempty"`
	Transitive []string `json:"transitiveTagKeys,omitempty"`
	// SourceIdentity is set by the first of a chain of sessions and never changes.
	SourceIdentity string `json:"sourceIdentity,omitempty"`
	// WebIdentity is the identity whose token assumed the role.
	WebIdentity *WebIdentity `json:"webIdentity,omitempty"`
	// MFA reports that the user proved to have an MFA device.
	MFA bool `json:"mfa,omitempty"`
}

// Keys returns the condition keys of the session.
func (s *Session) Keys(now time.Time) map[string][]string {
	keys := map[string][]string{
		"aws:tokenissuetime":         {s.Issued.UTC().Format(time.RFC3339)},
		"aws:multifactorauthpresent": {strconv.FormatBool(s.MFA)},
	}
	if s.MFA {
		keys["aws:multifactorauthage"] = []string{strconv.FormatInt(int64(now.Sub(s.Issued)/time.Second), 10)}
	}
	if s.SourceIdentity != "" {
		keys["aws:sourceidentity"] = []string{s.SourceIdentity}
	}
	if s.WebIdentity != nil {
		maps.Copy(keys, s.WebIdentity.Keys())
	}
	return keys
}

// A WebIdentity is the identity in an identity provider's token.
type WebIdentity struct {
	Provider string   `json:"provider"` // the provider's ARN
	Subject  string   `json:"subject"`
	Audience string   `json:"audience"`
	Party    string   `json:"authorizedParty,omitempty"`
	Methods  []string `json:"authenticationMethods,omitempty"`

	// Requested for the session by the token.
	Tags           []Tag    `json:"-"`
	Transitive     []string `json:"-"`
	SourceIdentity string   `json:"-"`
}

// Keys returns the condition keys of the identity, under the provider's URL without
// the scheme.
func (w *WebIdentity) Keys() map[string][]string {
	_, name, _ := strings.Cut(strings.ToLower(w.Provider), ":oidc-provider/")
	keys := map[string][]string{
		"aws:federatedprovider": {w.Provider}, name + ":sub": {w.Subject}, name + ":aud": {w.Audience},
	}
	if w.Party != "" {
		keys[name+":azp"] = []string{w.Party}
	}
	if len(w.Methods) > 0 {
		keys[name+":amr"] = w.Methods
	}
	return keys
}

// A Provider is an OpenID Connect provider that the account trusts.
type Provider struct {
	ARN, URL               string
	ClientIDs, Thumbprints []string
}

// A Profile is an instance profile. Its role is nil if it has none.
type Profile struct {
	ID, Name, ARN string
	Role          *Role
}
