package localaws

import (
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A session is temporary credentials: of a role that somebody assumed, of a user,
// or of a federated user.
type session struct {
	AccessKeyID string    `json:"accessKeyID"`
	Secret      string    `json:"secret"`
	Token       string    `json:"token"`
	Issued      time.Time `json:"issued"`
	Expires     time.Time `json:"expires"`
	// RoleID is the role's, if it is a role's session, and UserID the user's if it
	// is not.
	RoleID string `json:"roleID,omitempty"`
	UserID string `json:"userID,omitempty"`
	// Name of a role's session or of a federated user.
	Name      string `json:"name,omitempty"`
	Federated bool   `json:"federated,omitempty"`
	// Policy and PolicyARNs bound what the session may do.
	Policy     document `json:"policy,omitzero"`
	PolicyARNs []string `json:"policyARNs,omitempty"`
	// Tags of the session.
	Tags []tag `json:"tags,omitempty"`
	// MFA tells that its caller proved to have an MFA device.
	MFA bool `json:"mfa,omitempty"`

	role *role
	user *user
}

func stsOperations() map[string]operation {
	return map[string]operation{
		// Needs no permission, and no policy can deny it.
		"GetCallerIdentity": read(nil, getCallerIdentity),
		"AssumeRole":        write(nil, assumeRole, "RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId"),
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

// credentials of a session, as they are answered.
type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId" json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      timestamp
}

func (s *session) credentials() credentials {
	return credentials{s.AccessKeyID, s.Secret, s.Token, timestamp(s.Expires)}
}

// open makes the credentials of a session, which last for a time from now.
func (c *call) open(s *session, duration time.Duration) {
	s.AccessKeyID, s.Secret, s.Token = newID("ASIA", 16), newSecret(), newSessionToken()
	s.Issued, s.Expires = c.time, c.time.Add(duration)
	// What has expired long since cannot be used any more and need not be kept.
	maps.DeleteFunc(c.Sessions, func(_ string, s *session) bool { return s.Expires.Add(time.Hour).Before(c.time) })
	c.Sessions[s.AccessKeyID] = s
}

// closeSessions ends those of a user or role that is deleted.
func (s *state) closeSessions(of *entity) {
	maps.DeleteFunc(s.Sessions, func(_ string, session *session) bool {
		return session.RoleID == of.ID || session.UserID == of.ID
	})
}

type assumeRoleResult struct {
	Credentials     credentials
	AssumedRoleUser struct {
		AssumedRoleID string `xml:"AssumedRoleId" json:"AssumedRoleId"`
		Arn           string
	}
}

var sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

func assumeRole(c *call, p *parameters) (any, *Error) {
	name := p.get("RoleSessionName")
	if !sessionNamePattern.MatchString(name) {
		return nil, invalid("roleSessionName", `failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}`)
	}
	arn := p.get("RoleArn")
	role, ok := c.roleByARN(arn)
	if !ok { // AWS does not say which roles there are, either
		return nil, c.denied("sts:AssumeRole", arn, "")
	}
	if err := c.mayAssume(role, p); err != nil {
		return nil, err
	}
	duration, e := c.sessionDuration(role, p.get("DurationSeconds"))
	if e != nil {
		return nil, e
	}
	s := &session{role: role, RoleID: role.ID, Name: name}
	c.open(s, duration)

	var result assumeRoleResult
	result.Credentials = s.credentials()
	assumed := c.sessionPrincipal(s)
	result.AssumedRoleUser.Arn, result.AssumedRoleUser.AssumedRoleID = assumed.arn, assumed.userID
	return result, nil
}

// mayAssume asks the role's trust policy, and the caller's own policies unless
// the trust policy names the caller itself.
func (c *call) mayAssume(role *role, p *parameters) *Error {
	const action = "sts:AssumeRole"
	c.operation = action
	keys := c.conditionKeys(nil)
	keys["sts:rolesessionname"] = []string{p.get("RoleSessionName")}
	if p.has("ExternalId") {
		keys["sts:externalid"] = []string{p.get("ExternalId")}
	}
	request := policy.Request{Action: action, Resource: role.ARN, Principal: role.trustee(c.caller), Context: keys}
	trust, own := policy.Evaluate(request, role.Trust.Document), policy.Authorize(request, c.caller.policies).Decision
	switch {
	case trust == policy.ExplicitDeny || own == policy.ExplicitDeny:
		return c.denied(action, role.ARN, " with an explicit deny")
	case trust == policy.Allow && (own == policy.Allow || role.Trust.AllowsDirectly(request)):
		return nil
	default:
		return c.denied(action, role.ARN, "")
	}
}

// sessionDuration is an hour at most when a session assumes another role.
func (c *call) sessionDuration(role *role, text string) (time.Duration, *Error) {
	if text == "" {
		return time.Hour, nil
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 900 || seconds > 43200 {
		return 0, invalid("durationSeconds", "failed to satisfy constraint: Member must have value between 900 and 43200")
	}
	if seconds > role.MaxSession {
		return 0, validationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if c.caller.session != nil && seconds > 3600 {
		return 0, validationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return time.Duration(seconds) * time.Second, nil
}

func (a *AWS) roleByARN(arn string) (*role, bool) {
	role, ok := a.Roles[lower(arn[strings.LastIndex(arn, "/")+1:])]
	return role, ok && role.ARN == arn
}
