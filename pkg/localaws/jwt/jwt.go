// Package jwt verifies JSON Web Tokens (RFC 7519): only signed ones in the compact
// form (RFC 7515) with RSA or ECDSA.
//
// It is strict where parsers tend to differ: it accepts only canonical base64,
// unique member names in their exact case, the five algorithms that it lists, and
// no critical extensions.
package jwt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxLength bounds a token in characters.
const MaxLength = 20000

var (
	// ErrKey means that no key of the issuer matches the token's key ID and
	// algorithm.
	ErrKey = errors.New("the issuer has no key that matches the token's key ID and algorithm")
	// ErrSignature means that no key of the issuer verifies the token's signature.
	ErrSignature = errors.New("no key of the issuer verifies the signature")
)

// MalformedError means that a text is not a valid token.
type MalformedError struct{ Reason string }

func (e *MalformedError) Error() string { return "malformed token: " + e.Reason }

func malformed(reason string) error { return &MalformedError{reason} }

// Token holds the claims of a token. They are unproven before [Token.Verify].
type Token struct {
	Issuer, Subject string   // empty without one
	Audience        []string // nil without one
	// Expires, NotBefore and IssuedAt are seconds since 1970; 0 without one.
	Expires, NotBefore, IssuedAt float64

	algorithm string
	keyID     string
	claims    map[string]json.RawMessage
	signed    string // the signed text
	signature []byte
}

// Parse parses a token. The error is a [*MalformedError].
func Parse(text string) (*Token, error) {
	if len(text) > MaxLength {
		return nil, malformed("too long")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, malformed("expected three parts")
	}
	t := &Token{signed: parts[0] + "." + parts[1]}
	header, err := decodeObject(parts[0])
	if err != nil {
		return nil, err
	}
	if t.claims, err = decodeObject(parts[1]); err != nil {
		return nil, err
	}
	if t.signature, err = decode(parts[2]); err != nil {
		return nil, err
	}
	if _, critical := header["crit"]; critical {
		return nil, malformed("critical extensions are not supported")
	}
	if err := read(header, map[string]any{"alg": &t.algorithm, "kid": &t.keyID}); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"RS256", "RS384", "RS512", "ES256", "ES384"}, t.algorithm) {
		return nil, malformed("unsupported algorithm (supported: RS256, RS384, RS512, ES256, ES384)")
	}
	if err := read(t.claims, map[string]any{
		"iss": &t.Issuer, "sub": &t.Subject, "aud": (*Strings)(&t.Audience),
		"exp": &t.Expires, "nbf": &t.NotBefore, "iat": &t.IssuedAt,
	}); err != nil {
		return nil, err
	}
	return t, nil
}

// Claim decodes the claim with a name and reports whether the token has it. The
// error means that it has another type.
func (t *Token) Claim(name string, into any) (bool, error) {
	_, ok := t.claims[name]
	return ok, read(t.claims, map[string]any{name: into})
}

// Strings is a claim that is a string or a list of strings.
type Strings []string

// UnmarshalJSON accepts both.
func (s *Strings) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*s = []string{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(s))
}

// read decodes the values that an object has.
func read(object map[string]json.RawMessage, into map[string]any) error {
	for name, value := range into {
		raw, ok := object[name]
		if !ok {
			continue
		}
		if bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, value) != nil {
			return malformed("its " + name + " has the wrong type")
		}
	}
	return nil
}

// decode decodes canonical base64url: no padding, no line breaks, no stray bits.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, malformed("a part is not base64url")
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, malformed("a part is not base64url")
	}
	return decoded, nil
}

// decodeObject decodes a JSON object in base64url. It rejects duplicate names, which
// parsers resolve differently.
func decodeObject(text string) (map[string]json.RawMessage, error) {
	decoded, err := decode(text)
	if err != nil {
		return nil, err
	}
	notAnObject := malformed("a part is not a single JSON object")
	decoder := json.NewDecoder(bytes.NewReader(decoded))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') || !utf8.Valid(decoded) {
		return nil, notAnObject
	}
	object := map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, notAnObject
		}
		key, _ := name.(string)
		if _, twice := object[key]; twice {
			return nil, malformed("a name is in an object twice")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, notAnObject
		}
		object[key] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, notAnObject
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, notAnObject
	}
	return object, nil
}
