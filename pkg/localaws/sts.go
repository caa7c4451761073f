package localaws

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

func stsOperations() map[string]operation {
	anything := func(*parameters) string { return "*" }
	policies := []string{"Policy", "PolicyArns.member.N.arn", "DurationSeconds"}
	tags := []string{"Tags.member.N.Key", "Tags.member.N.Value"}
	webIdentity := write(nil, assumeRoleWithWebIdentity, slices.Concat(policies, []string{"RoleArn", "RoleSessionName", "WebIdentityToken"})...)
	webIdentity.unsigned, webIdentity.prepare = true, verifyWebIdentity
	return map[string]operation{
		// These two need no permission, and no policy can deny them.
		"GetCallerIdentity": read(nil, getCallerIdentity),
		"GetSessionToken":   write(nil, getSessionToken, "DurationSeconds", "SerialNumber", "TokenCode"),
		"AssumeRole": write(nil, assumeRole, slices.Concat(policies, tags, []string{
			"RoleArn", "RoleSessionName", "ExternalId", "SourceIdentity", "SerialNumber", "TokenCode", "TransitiveTagKeys.member.N",
		})...),
		"AssumeRoleWithWebIdentity":  webIdentity,
		"GetFederationToken":         write(federatedUserARN, getFederationToken, slices.Concat(policies, tags, []string{"Name"})...),
		"GetAccessKeyInfo":           read(anything, getAccessKeyInfo, "AccessKeyId"),
		"DecodeAuthorizationMessage": read(anything, decodeAuthorizationMessage, "EncodedMessage"),
	}
}

// A session is a set of temporary credentials, of an assumed role, a user or a
// federated user.
type session struct {
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
	Policy     document `json:"policy,omitzero"`
	PolicyARNs []string `json:"policyARNs,omitempty"`
	// Tags are the session tags. Transitive ones pass to the sessions of roles that
	// this session assumes.
	Tags       []tag    `json:"tags,omitempty"`
	Transitive []string `json:"transitiveTagKeys,omitempty"`
	// SourceIdentity is set by the first of a chain of sessions and never changes.
	SourceIdentity string `json:"sourceIdentity,omitempty"`
	// WebIdentity is the identity whose token assumed the role.
	WebIdentity *webIdentity `json:"webIdentity,omitempty"`
	// MFA reports that the user proved to have an MFA device.
	MFA bool `json:"mfa,omitempty"`

	role *role
	user *user
}

// keys returns the condition keys of the session.
func (s *session) keys(now time.Time) map[string][]string {
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
		maps.Copy(keys, s.WebIdentity.keys())
	}
	return keys
}

// credentials returns the credentials of a session as responses contain them.
type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId" json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      timestamp
}

func (s *session) credentials() credentials {
	return credentials{s.AccessKeyID, s.Secret, s.Token, timestamp(s.Expires)}
}

// open creates the credentials of a session, which last for a time from now.
func (c *call) open(s *session, duration time.Duration) {
	s.AccessKeyID, s.Secret, s.Token = newID("ASIA", 16), newSecret(), newSessionToken()
	s.Issued, s.Expires = c.time, c.time.Add(duration)
	// Drop sessions that expired a while ago.
	maps.DeleteFunc(c.state.Sessions, func(_ string, s *session) bool { return s.Expires.Add(time.Hour).Before(c.time) })
	c.state.Sessions[s.AccessKeyID] = s
}

// closeSessions ends the sessions of a deleted user or role.
func (s *state) closeSessions(of *entity) {
	maps.DeleteFunc(s.Sessions, func(_ string, session *session) bool {
		return session.RoleID == of.ID || session.UserID == of.ID
	})
}

// barred returns what a session may never call, whatever the policies say: no
// session may call the operations that create user sessions; a user's session may
// assume roles, but needs MFA for IAM; a federated user may not call IAM or STS.
func (c *call) barred(action string) *Error {
	if c.caller == nil || c.caller.session == nil || action == "GetCallerIdentity" {
		return nil
	}
	s := c.caller.session
	var barred bool
	switch {
	case c.service == "iam":
		barred = s.role == nil && !s.MFA
	case c.service != "sts":
	case s.role != nil:
		barred = action == "GetSessionToken" || action == "GetFederationToken"
	default:
		barred = s.Federated || action != "AssumeRole"
	}
	switch {
	case !barred:
		return nil
	case c.service == "iam":
		return newError(http.StatusForbidden, codeInvalidToken, "The security token included in the request is invalid")
	default:
		return newError(http.StatusForbidden, codeAccessDenied, "Cannot call "+action+" with session credentials")
	}
}

type callerIdentity struct {
	Arn     string
	UserID  string `xml:"UserId" json:"UserId"`
	Account string
}

func getCallerIdentity(c *call, _ *parameters) (any, *Error) {
	return callerIdentity{Arn: c.caller.arn, UserID: c.caller.userID, Account: c.accountID}, nil
}

func getAccessKeyInfo(c *call, p *parameters) (any, *Error) {
	id, err := p.required("AccessKeyId", 16, 128, wordPattern)
	if err != nil {
		return nil, err
	}
	_, long := c.state.keys[id]
	_, temporary := c.state.Sessions[id]
	if !long && !temporary {
		return nil, validationError("The access key ID " + id + " does not exist.")
	}
	return struct{ Account string }{c.accountID}, nil
}

var (
	wordPattern          = regexp.MustCompile(`^\w*$`)
	digitPattern         = regexp.MustCompile(`^\d*$`)
	sessionNamePattern   = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalIDPattern    = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
	sessionPolicyPattern = regexp.MustCompile(`^[\t\n\r\x{20}-\x{FF}]*$`)
)

// optional returns a parameter, if it is present, after checking its length and its
// pattern (nil for any).
func (p *parameters) optional(name string, least, most int, pattern *regexp.Regexp) (string, *Error) {
	if !p.has(name) {
		return "", nil
	}
	return p.required(name, least, most, pattern)
}

// required is like optional for a required parameter.
func (p *parameters) required(name string, least, most int, pattern *regexp.Regexp) (string, *Error) {
	value := p.get(name)
	field := lower(name[:1]) + name[1:]
	length := utf8.RuneCountInString(value)
	switch {
	case !p.has(name):
		return "", missing(field)
	case length < least:
		return "", invalid(field, "failed to satisfy constraint: Member must have length greater than or equal to "+strconv.Itoa(least))
	case length > most:
		return "", tooLong(field, most)
	case pattern != nil && !pattern.MatchString(value):
		return "", invalid(field, "failed to satisfy constraint: Member must satisfy regular expression pattern: "+pattern.String()[1:len(pattern.String())-1])
	}
	return value, nil
}

// duration returns the duration that a call asks for, up to a number of seconds.
func (p *parameters) duration(most int, otherwise time.Duration) (time.Duration, *Error) {
	if !p.has("DurationSeconds") {
		return otherwise, nil
	}
	seconds, err := strconv.Atoi(p.get("DurationSeconds"))
	if err != nil || seconds < 900 || seconds > most {
		return 0, invalid("durationSeconds", "failed to satisfy constraint: Member must have value between 900 and "+strconv.Itoa(most))
	}
	return time.Duration(seconds) * time.Second, nil
}
