package sts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
	"github.com/kube-iam/authenticator/pkg/localaws/jwt"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

type webIdentityResult struct {
	assumeRoleResult
	SubjectFromWebIdentityToken, Audience, Provider string
}

func decodeAssumeRoleWithWebIdentity(input api.Input) (a assumption, err error) {
	f := form{Form: input.Form}
	a = f.assumption()
	f.required("WebIdentityToken", 4, jwt.MaxLength, pattern.Pattern{})
	if err := f.err(); err != nil {
		return a, err
	}
	err = a.check()
	return a, err // not in one statement, whose order is not specified
}

func assumeRoleWithWebIdentity(tx *account.Tx, in assumption) (any, error) {
	w := tx.WebIdentity
	in.session.Tags, in.session.Transitive, in.session.SourceIdentity, in.session.WebIdentity = w.Tags, w.Transitive, w.SourceIdentity, w
	t, err := in.take(tx, "sts:AssumeRoleWithWebIdentity")
	if err != nil {
		return nil, err
	}
	maps.Copy(t.keys, w.Keys())
	who := policy.Principal{Federated: w.Provider} // the caller has no policies
	if action, verdict := t.allowed(tx, who, policy.Policies{}); verdict.Decision != policy.Allow {
		return nil, denied("Not authorized to perform " + action)
	}
	opened, err := t.open(tx)
	if err != nil {
		return nil, err
	}
	return webIdentityResult{*opened, w.Subject, w.Audience, w.Provider}, nil
}

// identify verifies the token in a call. It may fetch the identity provider's keys,
// which takes time.
func (i *issuers) identify(ctx context.Context, accounts *account.Accounts, call account.Call, input api.Input) (*account.WebIdentity, error) {
	token, err := jwt.Parse(input.Form.Get("WebIdentityToken"))
	if err != nil {
		return nil, invalidToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token): " + err.Error())
	}
	// The role's account trusts the provider.
	in, ok := accounts.Account(account.OfARN(input.Form.Get("RoleArn")))
	if !ok {
		in = accounts.Default()
	}
	var provider account.Provider
	in.View(func(tx *account.Tx) { provider, ok = tx.Identities().Provider(token.Issuer) })
	if !ok {
		return nil, invalidToken("No OpenIDConnect provider found in your account for " + token.Issuer)
	}
	// Check first what needs no network.
	claimed, err := claimedBy(token, provider, float64(call.Time.UnixMilli())/1000)
	if err != nil {
		return nil, err
	}
	if err := checkTags(claimed); err != nil {
		return nil, err
	}
	var unreachable *unreachableError
	switch err := i.verify(ctx, provider, token); {
	case errors.Is(err, errNotLoopback):
		return nil, api.Refuse(http.StatusBadRequest, "IDPCommunicationError", "The identity provider could not be reached: "+err.Error())
	case errors.As(err, &unreachable):
		return nil, badRequest("IDPCommunicationError", "The identity provider could not be reached: "+err.Error())
	case errors.Is(err, jwt.ErrSignature):
		return nil, invalidToken("Token signature invalid")
	case err != nil:
		return nil, invalidToken("Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements: " + err.Error())
	}
	return claimed, nil
}

func invalidToken(message string) error { return badRequest("InvalidIdentityToken", message) }

// claimedBy checks the claims of a provider's token at a time in seconds since 1970, and
// returns the identity that it claims.
func claimedBy(token *jwt.Token, o account.Provider, now float64) (*account.WebIdentity, error) {
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
		return nil, badRequest("ExpiredTokenException",
			fmt.Sprintf("Token expired: current date/time %.0f must be before the expiration date/time %.0f", now, token.Expires))
	case now < token.NotBefore:
		return nil, invalidToken(fmt.Sprintf("Token is not valid before %.0f, and now is %.0f", token.NotBefore, now))
	case now < token.IssuedAt:
		return nil, invalidToken(fmt.Sprintf("Token was issued in the future, at %.0f, and now is %.0f", token.IssuedAt, now))
	}
	w := &account.WebIdentity{Provider: o.ARN, Subject: token.Subject, Audience: token.Audience[audience]}
	return w, readClaims(token, w)
}

// readClaims parses the optional claims of a token.
func readClaims(token *jwt.Token, w *account.WebIdentity) error {
	var tags struct {
		Principal  map[string]jwt.Strings `json:"principal_tags"`
		Transitive []string               `json:"transitive_tag_keys"`
	}
	for name, into := range map[string]any{
		"azp": &w.Party, "amr": (*jwt.Strings)(&w.Methods),
		"https://aws.amazon.com/tags":            &tags,
		"https://aws.amazon.com/source_identity": &w.SourceIdentity,
	} {
		if _, err := token.Claim(name, into); err != nil {
			return invalidToken(err.Error())
		}
	}
	for key, values := range tags.Principal {
		if len(values) != 1 {
			return invalidToken("The session tag " + key + " must have one value")
		}
		w.Tags = append(w.Tags, account.Tag{Key: key, Value: values[0]})
	}
	slices.SortFunc(w.Tags, func(a, b account.Tag) int { return strings.Compare(a.Key, b.Key) })
	w.Transitive = tags.Transitive
	if n := len(w.SourceIdentity); n > 0 && (n < 2 || n > 64 || !sessionNamePattern.MatchString(w.SourceIdentity)) {
		return invalidToken(`The source identity must have 2 to 64 characters that satisfy the pattern [\w+=,.@-]*`)
	}
	return nil
}

// checkTags applies the limits of session tags in a call to those in a token.
func checkTags(w *account.WebIdentity) error {
	var f form
	f.checkTags(w.Tags)
	if err := cmp.Or(f.err(), checkKeys(w.Tags)); err != nil {
		return invalidToken(api.ErrorOf(err).Message)
	}
	return nil
}
