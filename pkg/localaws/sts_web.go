package localaws

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/jwt"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A webIdentity is the identity in an identity provider's token.
type webIdentity struct {
	Provider string   `json:"provider"` // the provider's ARN
	Subject  string   `json:"subject"`
	Audience string   `json:"audience"`
	Party    string   `json:"authorizedParty,omitempty"`
	Methods  []string `json:"authenticationMethods,omitempty"`

	// Requested for the session by the token.
	tags           []tag
	transitive     []string
	sourceIdentity string
}

// keys returns the condition keys of the identity, under the provider's URL without
// the scheme.
func (w *webIdentity) keys() map[string][]string {
	_, name, _ := strings.Cut(lower(w.Provider), ":oidc-provider/")
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

type webIdentityResult struct {
	assumeRoleResult
	SubjectFromWebIdentityToken, Audience, Provider string
}

func assumeRoleWithWebIdentity(c *call, p *parameters) (any, *Error) {
	w := c.webIdentity
	s := &session{Tags: w.tags, Transitive: w.transitive, SourceIdentity: w.sourceIdentity, WebIdentity: w}
	a, err := p.assumption("sts:AssumeRoleWithWebIdentity", s)
	if err != nil {
		return nil, err
	}
	maps.Copy(a.keys, w.keys())
	who := policy.Principal{Federated: w.Provider} // the caller has no policies
	if action, verdict := a.allowed(c, who, policy.Policies{}); verdict.Decision != policy.Allow {
		return nil, newError(http.StatusForbidden, codeAccessDenied, "Not authorized to perform "+action)
	}
	opened, err := a.open(c)
	if err != nil {
		return nil, err
	}
	return webIdentityResult{*opened, w.Subject, w.Audience, w.Provider}, nil
}

// verifyWebIdentity verifies the token in a call. It may fetch the identity
// provider's keys, which takes time.
func verifyWebIdentity(c *call, p *parameters) *Error {
	text, err := p.required("WebIdentityToken", 4, jwt.MaxLength, nil)
	if err != nil {
		return err
	}
	token, malformed := jwt.Parse(text)
	if malformed != nil {
		return invalidToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token): " + malformed.Error())
	}
	provider, ok := c.providerOf(token.Issuer)
	if !ok {
		return invalidToken("No OpenIDConnect provider found in your account for " + token.Issuer)
	}
	// Check first what needs no network.
	claimed, err := provider.identity(token, c.seconds())
	if err != nil {
		return err
	}
	if err := claimed.checkTags(c); err != nil {
		return err
	}
	var unreachable *unreachableError
	switch err := c.issuers.verify(c.request.Context(), provider, token, c.time); {
	case errors.As(err, &unreachable):
		return newError(http.StatusBadRequest, "IDPCommunicationError", "The identity provider could not be reached: "+err.Error())
	case errors.Is(err, jwt.ErrSignature):
		return invalidToken("Token signature invalid")
	case err != nil:
		return invalidToken("Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements: " + err.Error())
	}
	c.webIdentity = claimed
	return nil
}

func invalidToken(message string) *Error {
	return newError(http.StatusBadRequest, "InvalidIdentityToken", message)
}

// seconds returns the time of the call in seconds since 1970, as tokens have it.
func (c *call) seconds() float64 { return float64(c.time.UnixMilli()) / 1000 }

// providerOf returns a copy of an issuer's provider, for use without the lock.
func (a *AWS) providerOf(issuer string) (oidcProvider, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, provider := range a.state.Providers {
		if provider.URL == issuer {
			found := *provider
			found.ClientIDs, found.Thumbprints = slices.Clone(provider.ClientIDs), slices.Clone(provider.Thumbprints)
			return found, true
		}
	}
	return oidcProvider{}, false
}

// identity checks the claims of a token at a time in seconds since 1970.
func (o *oidcProvider) identity(token *jwt.Token, now float64) (*webIdentity, *Error) {
	audience := slices.IndexFunc(token.Audience, func(a string) bool { return slices.Contains(o.ClientIDs, a) })
	switch {
	case token.Subject == "":
		return nil, invalidToken("Missing a required claim: sub")
	case len(token.Audience) == 0:
		return nil, invalidToken("Missing a required claim: aud")
	case token.Expires == 0:
		return nil, invalidToken("Missing a required claim: exp")
	case audience < 0:
		return nil, invalidToken("Incorrect token audience")
	case now >= token.Expires:
		return nil, newError(http.StatusBadRequest, "ExpiredTokenException",
			fmt.Sprintf("Token expired: current date/time %.0f must be before the expiration date/time %.0f", now, token.Expires))
	case now < token.NotBefore:
		return nil, invalidToken(fmt.Sprintf("Token is not valid before %.0f, and now is %.0f", token.NotBefore, now))
	case now < token.IssuedAt:
		return nil, invalidToken(fmt.Sprintf("Token was issued in the future, at %.0f, and now is %.0f", token.IssuedAt, now))
	}
	w := &webIdentity{Provider: o.ARN, Subject: token.Subject, Audience: token.Audience[audience]}
	return w, w.read(token)
}

// read parses the optional claims of a token.
func (w *webIdentity) read(token *jwt.Token) *Error {
	var tags struct {
		Principal  map[string]jwt.Strings `json:"principal_tags"`
		Transitive []string               `json:"transitive_tag_keys"`
	}
	for name, into := range map[string]any{
		"azp": &w.Party, "amr": (*jwt.Strings)(&w.Methods),
		"https://aws.amazon.com/tags":            &tags,
		"https://aws.amazon.com/source_identity": &w.sourceIdentity,
	} {
		if _, err := token.Claim(name, into); err != nil {
			return invalidToken(err.Error())
		}
	}
	for key, values := range tags.Principal {
		if len(values) != 1 {
			return invalidToken("The session tag " + key + " must have one value")
		}
		w.tags = append(w.tags, tag{key, values[0]})
	}
	slices.SortFunc(w.tags, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	w.transitive = tags.Transitive
	if n := len(w.sourceIdentity); n > 0 && (n < 2 || n > 64 || !sessionNamePattern.MatchString(w.sourceIdentity)) {
		return invalidToken(`The source identity must have 2 to 64 characters that satisfy the pattern [\w+=,.@-]*`)
	}
	return nil
}

// checkTags applies the limits of session tags in a call to those in a token.
func (w *webIdentity) checkTags(c *call) *Error {
	form := url.Values{}
	for i, tag := range w.tags {
		member := "Tags.member." + strconv.Itoa(i+1)
		form.Set(member+".Key", tag.Key)
		form.Set(member+".Value", tag.Value)
	}
	if _, err := (&parameters{c, form}).tags(); err != nil {
		return invalidToken(err.Message)
	}
	return nil
}
