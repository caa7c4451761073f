package sts

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// state is the service's section.
type state struct {
	// TokenKeys are the keys that sign tokens, in PKCS #8, by algorithm.
	TokenKeys map[string][]byte `json:"tokenKeys,omitempty"`
}

// Check validates a state that was read.
func (s *state) Check() error {
	for algorithm, text := range s.TokenKeys {
		if _, err := parseKey(algorithm, text); err != nil {
			return fmt.Errorf("token key %q: %w", algorithm, err)
		}
	}
	return nil
}

// algorithms lists those that sign tokens.
func algorithms() []string { return []string{"RS256", "ES384"} }

// key returns the key of an algorithm: the one that the account keeps or, before it has
// one, the one in made. If that has none either, the error is the work that makes it.
func (s *state) key(algorithm string, made map[string][]byte) (crypto.Signer, error) {
	text, ok := s.TokenKeys[algorithm]
	if !ok {
		text, ok = made[algorithm]
	}
	if !ok {
		return nil, &api.Work{Do: func() (err error) {
			made[algorithm], err = newKey(algorithm)
			return err
		}}
	}
	return parseKey(algorithm, text)
}

// keep keeps the key of an algorithm in made, unless the account has one.
func (s *state) keep(tx *account.Tx, algorithm string, made map[string][]byte) {
	if _, ok := s.TokenKeys[algorithm]; ok {
		return
	}
	if s.TokenKeys == nil {
		s.TokenKeys = map[string][]byte{}
	}
	s.TokenKeys[algorithm] = made[algorithm]
	tx.Change()
}

func parseKey(algorithm string, text []byte) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(text)
	if err != nil {
		return nil, err
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		if algorithm == "RS256" {
			return key, nil
		}
	case *ecdsa.PrivateKey:
		if algorithm == "ES384" && key.Curve == elliptic.P384() {
			return key, nil
		}
	}
	return nil, fmt.Errorf("expected a key for RS256 or ES384, not %T", parsed)
}

// newKey makes a key, in PKCS #8.
func newKey(algorithm string) (text []byte, err error) {
	var key crypto.Signer
	if algorithm == "RS256" {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// keyID returns the ID of a key, which is a hash of its public half.
func keyID(key crypto.Signer) string {
	text, _ := x509.MarshalPKIXPublicKey(key.Public()) // these kinds of keys always encode
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

func tokenOperations() []api.Operation {
	return []api.Operation{
		api.Define(api.Definition[tokenInput]{
			Facts: api.Facts{Name: "GetWebIdentityToken", ReadOnly: true, Accepts: []string{
				"Audience.member.N", "DurationSeconds", "SigningAlgorithm", "Tags.member.N.Key", "Tags.member.N.Value",
			}},
			Decode: decodeGetWebIdentityToken, Resource: api.Anything[tokenInput], Run: getWebIdentityToken,
			ConditionKeys: func(_ *account.Tx, in tokenInput) map[string][]string { return in.keys() },
		}),
	}
}

type tokenInput struct {
	audience  []string
	algorithm string
	duration  time.Duration
	tags      []account.Tag
	global    bool // whether the call was to the global endpoint
	// made are keys that were made for the call, in PKCS #8, by algorithm.
	made map[string][]byte
}

func (in tokenInput) keys() map[string][]string {
	keys := tagKeys(in.tags)
	keys["sts:identitytokenaudience"], keys["sts:signingalgorithm"] = in.audience, []string{in.algorithm}
	keys["sts:durationseconds"] = []string{strconv.Itoa(int(in.duration / time.Second))}
	return keys
}

func decodeGetWebIdentityToken(input api.Input) (in tokenInput, err error) {
	f := form{Form: input.Form}
	in.audience, in.algorithm, in.duration, in.tags = f.List("Audience.member", ""), f.Get("SigningAlgorithm"), 5*time.Minute, f.tags()
	in.made = map[string][]byte{}
	in.global = input.Request.Host == "sts.amazonaws.com"
	switch n := len(in.audience); {
	case n == 0:
		f.violate("Audience", "null", "Member must not be null")
	case n > 10:
		f.violate("Audience", "of "+strconv.Itoa(n)+" members", "Member must have length less than or equal to 10")
	}
	for _, one := range in.audience {
		if len(one) < 1 || len(one) > 1000 {
			f.violate("Audience", "'"+one[:min(len(one), 1000)]+"'", "Member must have length between 1 and 1000")
		}
	}
	if in.algorithm != "RS256" && in.algorithm != "ES384" {
		f.violate("SigningAlgorithm", "'"+in.algorithm+"'", "Member must satisfy enum value set: [RS256, ES384]")
	}
	if f.Has("DurationSeconds") {
		seconds, err := strconv.Atoi(f.Get("DurationSeconds"))
		if err != nil || seconds < 60 || seconds > 3600 {
			f.violate("DurationSeconds", "'"+f.Get("DurationSeconds")+"'", "Member must have value between 60 and 3600")
		}
		in.duration = time.Duration(seconds) * time.Second
	}
	if err := f.err(); err != nil {
		return in, err
	}
	return in, checkKeys(in.tags)
}

type webIdentityTokenResult struct {
	WebIdentityToken string
	Expiration       protocol.Timestamp
}

// maxToken bounds a token in bytes, so that verifiers take it.
const maxToken = 16 << 10

// getWebIdentityToken issues a token that says who the caller is, for other services.
func getWebIdentityToken(tx *account.Tx, in tokenInput) (any, error) {
	issuer, enabled := tx.Identities().TokenIssuer()
	switch {
	case in.global:
		return nil, badRequest("InvalidAction", "GetWebIdentityToken is not available on the global endpoint of STS. Use a regional one.")
	case !enabled:
		return nil, api.NewError(http.StatusForbidden, "OutboundWebIdentityFederationDisabledException", "Outbound web identity federation is not enabled for the account. Enable it with iam:EnableOutboundWebIdentityFederation.")
	}
	if len(in.tags) > 0 {
		if err := tx.Authorize("sts:TagGetWebIdentityToken", "*", tagKeys(in.tags)); err != nil {
			return nil, err
		}
	}
	expires := tx.Time.Add(in.duration)
	if s := tx.Caller.Session; s != nil && expires.After(s.Expires) {
		return nil, api.NewError(http.StatusForbidden, "SessionDurationEscalationException", "The token cannot outlive the session that requests it.")
	}
	details := map[string]any{"aws_account": tx.Account.ID, "source_region": tx.Region, "principal_id": tx.Caller.Owner.ARN}
	for name, tags := range map[string][]account.Tag{"principal_tags": tx.Caller.Owner.Tags, "request_tags": in.tags} {
		if len(tags) > 0 {
			values := map[string]string{}
			for _, tag := range tags {
				values[tag.Key] = tag.Value
			}
			details[name] = values
		}
	}
	claims := map[string]any{
		"iss": issuer, "sub": tx.Caller.Owner.ARN, "aud": in.audience, "iat": tx.Time.Unix(), "exp": expires.Unix(), "jti": account.NewUUID(),
		"https://sts.amazonaws.com/": details,
	}
	if len(in.audience) == 1 {
		claims["aud"] = in.audience[0]
	}
	kept := account.Get[*state](tx)
	key, err := kept.key(in.algorithm, in.made)
	if err != nil {
		return nil, err
	}
	token, err := sign(claims, in.algorithm, key)
	if err != nil {
		return nil, err
	}
	if len(token) > maxToken {
		return nil, badRequest("JWTPayloadSizeExceededException", "The token exceeds "+strconv.Itoa(maxToken)+" bytes.")
	}
	kept.keep(tx, in.algorithm, in.made)
	return webIdentityTokenResult{token, protocol.Timestamp(expires)}, nil
}

// sign returns claims as a signed token (RFC 7515, compact).
func sign(claims map[string]any, algorithm string, key crypto.Signer) (string, error) {
	var parts [2]string
	for i, part := range []any{map[string]string{"alg": algorithm, "kid": keyID(key), "typ": "JWT"}, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		parts[i] = base64.RawURLEncoding.EncodeToString(text)
	}
	signed := parts[0] + "." + parts[1]
	var signature []byte
	var err error
	if ec, ok := key.(*ecdsa.PrivateKey); ok {
		sum := sha512.Sum384([]byte(signed))
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, ec, sum[:]); err == nil {
			signature = append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...)
		}
	} else {
		sum := sha256.Sum256([]byte(signed))
		signature, err = key.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// Discover returns what an account's issuer publishes at a path: its discovery document
// or its keys. It keeps keys in made that the account has not yet. If those are not made
// yet, the error is a [*api.Work].
func Discover(tx *account.Tx, path string, made map[string][]byte) (document any, found bool, err error) {
	issuer, enabled := tx.Identities().TokenIssuer()
	if !enabled {
		return nil, false, nil
	}
	const keys = "/.well-known/jwks.json"
	switch path {
	case "/.well-known/openid-configuration":
		return map[string]any{
			"issuer": issuer, "jwks_uri": issuer + keys, "response_types_supported": []string{"id_token"},
			"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": algorithms(),
		}, true, nil
	case keys:
		kept := account.Get[*state](tx)
		var published []map[string]string
		for _, algorithm := range algorithms() {
			key, err := kept.key(algorithm, made)
			if err != nil {
				return nil, false, err
			}
			published = append(published, jwk(key, algorithm))
		}
		for _, algorithm := range algorithms() {
			kept.keep(tx, algorithm, made)
		}
		return map[string]any{"keys": published}, true, nil
	}
	return nil, false, nil
}

// jwk returns the public half of a key (RFC 7517).
func jwk(key crypto.Signer, algorithm string) map[string]string {
	encode := base64.RawURLEncoding.EncodeToString
	made := map[string]string{"kid": keyID(key), "use": "sig", "alg": algorithm}
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		made["kty"], made["n"], made["e"] = "RSA", encode(public.N.Bytes()), encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		made["kty"], made["crv"] = "EC", "P-384"
		if point, err := public.Bytes(); err == nil { // always for a key of a named curve
			made["x"], made["y"] = encode(point[1:49]), encode(point[49:])
		}
	}
	return made
}
