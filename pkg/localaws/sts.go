package localaws

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func (a *AWS) stsOperations() map[string]operation {
	anything := func(*parameters) string { return "*" }
	policies := []string{"Policy", "PolicyArns.member.N.arn", "DurationSeconds"}
	tags := []string{"Tags.member.N.Key", "Tags.member.N.Value"}
	webIdentity := read(nil, assumeRoleWithWebIdentity, slices.Concat(policies, []string{"RoleArn", "RoleSessionName", "WebIdentityToken"})...)
	webIdentity.Unsigned, webIdentity.Identify = true, a.verifyWebIdentity
	// To issue credentials is read-only, as CloudTrail sees it; open has them saved.
	return map[string]operation{
		// These two need no permission, and no policy can deny them.
		"GetCallerIdentity": read(nil, getCallerIdentity),
		"GetSessionToken":   read(nil, getSessionToken, "DurationSeconds", "SerialNumber", "TokenCode"),
		"AssumeRole": read(nil, assumeRole, slices.Concat(policies, tags, []string{
			"RoleArn", "RoleSessionName", "ExternalId", "SourceIdentity", "SerialNumber", "TokenCode", "TransitiveTagKeys.member.N",
		})...),
		"AssumeRoleWithWebIdentity":  webIdentity,
		"GetFederationToken":         read(federatedUserARN, getFederationToken, slices.Concat(policies, tags, []string{"Name"})...),
		"GetAccessKeyInfo":           read(anything, getAccessKeyInfo, "AccessKeyId"),
		"DecodeAuthorizationMessage": read(anything, decodeAuthorizationMessage, "EncodedMessage"),
	}
}

// A session is a set of temporary credentials, with whose it is.
type session struct {
	account.Session

	role *role
	user *user
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
func (c *call) open(s *session, duration time.Duration) { c.state.open(c.tx, s, duration) }

// closeSessions ends the sessions of a deleted user or role.
func (s *state) closeSessions(of *entity) {
	maps.DeleteFunc(s.Sessions, func(_ string, session *session) bool {
		return session.RoleID == of.ID || session.UserID == of.ID
	})
}

// barsIAM returns an error if a session may not call IAM, whatever the policies say: a
// session of a user needs MFA.
func barsIAM(caller *account.Caller, _ string) error {
	if caller.Session != nil && !caller.IsRole() && !caller.Session.MFA {
		return newError(http.StatusForbidden, api.CodeInvalidToken, "The security token included in the request is invalid")
	}
	return nil
}

// barsSTS returns an error if a session may not call an operation of STS, whatever the
// policies say: no session may call the operations that create user sessions; a
// user's session may assume roles, and a federated user nothing.
func barsSTS(caller *account.Caller, operation string) error {
	var barred bool
	switch {
	case caller.Session == nil || operation == "GetCallerIdentity":
	case caller.IsRole():
		barred = operation == "GetSessionToken" || operation == "GetFederationToken"
	default:
		barred = caller.IsFederated() || operation != "AssumeRole"
	}
	if barred {
		return newError(http.StatusForbidden, api.CodeAccessDenied, "Cannot call "+operation+" with session credentials")
	}
	return nil
}

type callerIdentity struct {
	Arn     string
	UserID  string `xml:"UserId" json:"UserId"`
	Account string
}

func getCallerIdentity(c *call, _ *parameters) (any, *Error) {
	return callerIdentity{Arn: c.caller.ARN, UserID: c.caller.UserID, Account: c.accountID}, nil
}

func getAccessKeyInfo(c *call, p *parameters) (any, *Error) {
	id, err := p.required("AccessKeyId", 16, 128, wordPattern)
	if err != nil {
		return nil, err
	}
	if !c.state.KeyExists(id) {
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
