package iam

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// A loginProfile is a user's password for the console, which does not exist here. Only
// its hash is kept.
type loginProfile struct {
	Password password  `json:"password"`
	Created  time.Time `json:"created"`
	Changed  time.Time `json:"changed"`
	Reset    bool      `json:"resetRequired,omitempty"`
	// Earlier are passwords that the password policy keeps from being reused, the
	// newest first.
	Earlier []password `json:"earlier,omitempty"`
}

// A password is known by its hash.
type password struct {
	Salt []byte `json:"salt"`
	Hash []byte `json:"hash"`
}

// hashRounds is low, for tests that set passwords: these guard nothing.
const hashRounds = 1000

func hashOf(text string, salt []byte) []byte {
	hash, _ := pbkdf2.Key(sha256.New, text, salt, hashRounds, sha256.Size) // fails only for other lengths
	return hash
}

func newPassword(text string) password {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never returns an error: the program crashes instead
	return password{salt, hashOf(text, salt)}
}

func (p password) is(text string) bool {
	return subtle.ConstantTimeCompare(p.Hash, hashOf(text, p.Salt)) == 1
}

func loginOperations() map[string]operation {
	return map[string]operation{
		"CreateLoginProfile": write(userResource, createLoginProfile, "UserName", "Password", "PasswordResetRequired"),
		"GetLoginProfile":    read(userResource, getLoginProfile, "UserName"),
		"UpdateLoginProfile": write(userResource, updateLoginProfile, "UserName", "Password", "PasswordResetRequired"),
		"DeleteLoginProfile": write(userResource, deleteLoginProfile, "UserName"),
		"ChangePassword":     write(userResource, changePassword, "OldPassword", "NewPassword"),

		"UpdateAccountPasswordPolicy": write(anything, updatePasswordPolicy,
			"MinimumPasswordLength", "RequireSymbols", "RequireNumbers", "RequireUppercaseCharacters", "RequireLowercaseCharacters",
			"AllowUsersToChangePassword", "MaxPasswordAge", "PasswordReusePrevention", "HardExpiry"),
		"GetAccountPasswordPolicy":    read(anything, getPasswordPolicy),
		"DeleteAccountPasswordPolicy": write(anything, deletePasswordPolicy),
	}
}

func anything(*call) string { return "*" }

type xmlLoginProfile struct {
	UserName              string
	CreateDate            timestamp
	PasswordResetRequired bool
}

func (u *user) loginXML() fields {
	return fields{element("LoginProfile", xmlLoginProfile{u.Name, timestamp(u.Login.Created), u.Login.Reset})}
}

// login returns the user that a call names, who has a password.
func (c *call) login() (*user, error) {
	u, err := c.user()
	if err == nil && u.Login == nil {
		return nil, noSuchEntity("Login Profile for User " + u.Name + " cannot be found.")
	}
	return u, err
}

func createLoginProfile(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	reset, err := c.flag("PasswordResetRequired")
	if err != nil {
		return nil, err
	}
	if u.Login != nil {
		return nil, alreadyExists("Login Profile for user " + u.Name + " already exists.")
	}
	login := &loginProfile{Created: c.Time, Reset: reset}
	if err := c.setPassword(u, login, "Password"); err != nil {
		return nil, err
	}
	u.Login = login
	return u.loginXML(), nil
}

func getLoginProfile(c *call) (any, error) {
	u, err := c.login()
	if err != nil {
		return nil, err
	}
	return u.loginXML(), nil
}

func updateLoginProfile(c *call) (any, error) {
	u, err := c.login()
	if err != nil {
		return nil, err
	}
	reset, err := c.flag("PasswordResetRequired")
	if err != nil {
		return nil, err
	}
	if c.Has("Password") {
		if err := c.setPassword(u, u.Login, "Password"); err != nil {
			return nil, err
		}
	}
	if c.Has("PasswordResetRequired") {
		u.Login.Reset = reset
	}
	return nil, nil
}

func deleteLoginProfile(c *call) (any, error) {
	u, err := c.login()
	if err != nil {
		return nil, err
	}
	u.Login = nil
	return nil, nil
}

func changePassword(c *call) (any, error) {
	u, err := c.login()
	if err != nil {
		return nil, err
	}
	if !u.Login.Password.is(c.Get("OldPassword")) {
		return nil, newError(http.StatusForbidden, "AccessDenied", "The old password was incorrect.")
	}
	if err := c.setPassword(u, u.Login, "NewPassword"); err != nil {
		return nil, err
	}
	u.Login.Reset = false
	return nil, nil
}

// setPassword sets the password of a user to that in a call.
func (c *call) setPassword(u *user, login *loginProfile, parameter string) error {
	text := c.Get(parameter)
	if text == "" {
		return missing(onWire(parameter))
	}
	policy := c.state.passwordPolicy()
	if why := policy.breach(text, u.Name); why != "" {
		return newError(http.StatusBadRequest, "PasswordPolicyViolation", why)
	}
	earlier := login.Earlier
	if login.Password.Hash != nil {
		earlier = append([]password{login.Password}, earlier...)
	}
	earlier = earlier[:min(len(earlier), policy.Reuse)]
	for _, one := range earlier {
		if one.is(text) {
			return newError(http.StatusBadRequest, "PasswordPolicyViolation", "Password cannot be one of your last "+strconv.Itoa(policy.Reuse)+" passwords")
		}
	}
	login.Password, login.Earlier, login.Changed = newPassword(text), earlier, c.Time
	return nil
}

// A passwordPolicy says which passwords users may have.
type passwordPolicy struct {
	MinimumLength int  `json:"minimumLength"`
	Symbols       bool `json:"symbols,omitempty"`
	Numbers       bool `json:"numbers,omitempty"`
	Upper         bool `json:"upper,omitempty"`
	Lower         bool `json:"lower,omitempty"`
	Change        bool `json:"usersMayChange,omitempty"`
	// MaxAge is in days; 0 means that passwords do not expire.
	MaxAge     int  `json:"maxAgeDays,omitempty"`
	Reuse      int  `json:"reusePrevention,omitempty"`
	HardExpiry bool `json:"hardExpiry,omitempty"`
	// types is how many of the four types of characters AWS's default requires.
	types int
}

// passwordPolicy returns the policy that is in effect.
func (s *state) passwordPolicy() passwordPolicy {
	if s.PasswordPolicy != nil {
		return *s.PasswordPolicy
	}
	return passwordPolicy{MinimumLength: 8, types: 3}
}

// check validates a policy that was read.
func (p passwordPolicy) check() error {
	if p.MinimumLength < 0 || p.MaxAge < 0 || p.Reuse < 0 {
		return errors.New("a number of the password policy is negative")
	}
	return nil
}

var (
	upperPattern  = pattern.New(`[A-Z]`)
	lowerPattern  = pattern.New(`[a-z]`)
	numberPattern = pattern.New(`[0-9]`)
	symbolPattern = pattern.New(`[!@#$%^&*()_+=\[\]{}|'-]`)
)

// breach returns why a user may not have a password; empty if it is fine.
func (p passwordPolicy) breach(text, userName string) string {
	types := 0
	for _, of := range []pattern.Pattern{upperPattern, lowerPattern, numberPattern, symbolPattern} {
		if of.MatchString(text) {
			types++
		}
	}
	switch n := utf8.RuneCountInString(text); {
	case n > 128:
		return "Password should have a maximum length of 128"
	case n < p.MinimumLength:
		return "Password should have a minimum length of " + strconv.Itoa(p.MinimumLength)
	case p.Upper && !upperPattern.MatchString(text):
		return "Password should have at least one uppercase letter"
	case p.Lower && !lowerPattern.MatchString(text):
		return "Password should have at least one lowercase letter"
	case p.Numbers && !numberPattern.MatchString(text):
		return "Password should have at least one number"
	case p.Symbols && !symbolPattern.MatchString(text):
		return "Password should have at least one symbol"
	case types < p.types:
		return "Password should have at least three of uppercase letters, lowercase letters, numbers and symbols"
	case strings.EqualFold(text, userName):
		return "Password must not be the user name"
	}
	return ""
}

// number returns a number in a call between two others, or another without one.
func (c *call) number(name string, least, most, otherwise int) (int, error) {
	if !c.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(c.Get(name))
	if err != nil || n < least || n > most {
		return 0, invalid(onWire(name), "failed to satisfy constraint: Member must have value between "+strconv.Itoa(least)+" and "+strconv.Itoa(most))
	}
	return n, nil
}

// updatePasswordPolicy replaces the policy: what a call leaves out gets its default.
func updatePasswordPolicy(c *call) (any, error) {
	var p passwordPolicy
	var err error
	for _, flag := range []struct {
		name string
		into *bool
	}{
		{"RequireSymbols", &p.Symbols}, {"RequireNumbers", &p.Numbers}, {"RequireUppercaseCharacters", &p.Upper},
		{"RequireLowercaseCharacters", &p.Lower}, {"AllowUsersToChangePassword", &p.Change}, {"HardExpiry", &p.HardExpiry},
	} {
		if *flag.into, err = c.flag(flag.name); err != nil {
			return nil, err
		}
	}
	if p.MinimumLength, err = c.number("MinimumPasswordLength", 6, 128, 6); err != nil {
		return nil, err
	}
	if p.MaxAge, err = c.number("MaxPasswordAge", 1, 1095, 0); err != nil {
		return nil, err
	}
	if p.Reuse, err = c.number("PasswordReusePrevention", 1, 24, 0); err != nil {
		return nil, err
	}
	c.state.PasswordPolicy = &p
	return nil, nil
}

func (c *call) noPasswordPolicy() error {
	return noSuchEntity("The Password Policy with domain name " + c.Account.ID + " cannot be found.")
}

func getPasswordPolicy(c *call) (any, error) {
	p := c.state.PasswordPolicy
	if p == nil {
		return nil, c.noPasswordPolicy()
	}
	described := fields{
		element("MinimumPasswordLength", p.MinimumLength), element("RequireSymbols", p.Symbols), element("RequireNumbers", p.Numbers),
		element("RequireUppercaseCharacters", p.Upper), element("RequireLowercaseCharacters", p.Lower),
		element("AllowUsersToChangePassword", p.Change), element("ExpirePasswords", p.MaxAge > 0),
	}
	if p.MaxAge > 0 {
		described = append(described, element("MaxPasswordAge", p.MaxAge))
	}
	if p.Reuse > 0 {
		described = append(described, element("PasswordReusePrevention", p.Reuse))
	}
	return fields{element("PasswordPolicy", append(described, element("HardExpiry", p.HardExpiry)))}, nil
}

func deletePasswordPolicy(c *call) (any, error) {
	if c.state.PasswordPolicy == nil {
		return nil, c.noPasswordPolicy()
	}
	c.state.PasswordPolicy = nil
	return nil, nil
}
