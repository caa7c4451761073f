package localaws

import (
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A session is a role that somebody assumed.
type session struct {
	role          *role
	name          string
	secret, token string
	expires       time.Time
}

func stsOperations() map[string]operation {
	return map[string]operation{
		// Needs no permission, and no policy can deny it.
		"GetCallerIdentity": {run: getCallerIdentity},
		"AssumeRole": {
			run:     assumeRole,
			accepts: []string{"RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId"},
		},
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

type assumeRoleResult struct {
	Credentials struct {
		AccessKeyID     string `xml:"AccessKeyId" json:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      timestamp
	}
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
	s := &session{role: role, name: name, secret: newSecret(), token: newSessionToken(), expires: c.time.Add(duration)}
	// What has expired cannot be used any more and need not be kept.
	maps.DeleteFunc(c.sessions, func(_ string, s *session) bool { return s.expires.Add(time.Hour).Before(c.time) })
	id := newID("ASIA", 16)
	c.sessions[id] = s

	var result assumeRoleResult
	result.Credentials.AccessKeyID, result.Credentials.SecretAccessKey = id, s.secret
	result.Credentials.SessionToken, result.Credentials.Expiration = s.token, timestamp(s.expires)
	assumed := c.sessionPrincipal(s)
	result.AssumedRoleUser.Arn, result.AssumedRoleUser.AssumedRoleID = assumed.arn, assumed.userID
	return result, nil
}

// mayAssume asks the role's trust policy, and the caller's own policies unless
// the trust policy names the caller itself.
func (c *call) mayAssume(role *role, p *parameters) *Error {
	const action = "sts:AssumeRole"
	c.operation = action
	keys := c.conditionKeys()
	keys["sts:rolesessionname"] = []string{p.get("RoleSessionName")}
	if p.has("ExternalId") {
		keys["sts:externalid"] = []string{p.get("ExternalId")}
	}
	request := policy.Request{Action: action, Resource: role.arn, Principal: c.caller.principal, Context: keys}
	trust, own := policy.Evaluate(request, role.trust), policy.Evaluate(request, c.caller.documents()...)
	switch {
	case trust == policy.ExplicitDeny || own == policy.ExplicitDeny:
		return c.denied(action, role.arn, " with an explicit deny")
	case trust == policy.Allow && (own == policy.Allow || role.trust.AllowsDirectly(request)):
		return nil
	default:
		return c.denied(action, role.arn, "")
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
	if seconds > role.maxSession {
		return 0, newError(http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if c.caller.session != nil && seconds > 3600 {
		return 0, newError(http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return time.Duration(seconds) * time.Second, nil
}

func (a *AWS) roleByARN(arn string) (*role, bool) {
	role, ok := a.roles[strings.ToLower(arn[strings.LastIndex(arn, "/")+1:])]
	return role, ok && role.arn == arn
}
