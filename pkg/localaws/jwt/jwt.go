// Package jwt verifies JSON Web Tokens (RFC 7519): signed ones in the compact
// form (RFC 7515) with RSA or ECDSA, and nothing else.
//
// It is strict where parsers tend to differ: base64 in its one spelling, objects
// with every name once, names in their own case, no algorithm but the five that it
// lists, and no extension that it would have to understand.
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

// MaxLength of a token in characters.
const MaxLength = 20000

var (
	// ErrKey means that the issuer has no key like the one that the token names.
	ErrKey = errors.New("the issuer has no key like the one that the token names")
	// ErrSignature means that no key of the issuer signed the token as it is.
	ErrSignature = errors.New("the signature is none of the issuer's")
)

// MalformedError means that a text is no token.
type MalformedError struct{ Reason string }

func (e *MalformedError) Error() string { return "malformed token: " + e.Reason }

func malformed(reason string) error { return &MalformedError{reason} }

// Token is what a token says. Nothing of it is proved before [Token.Verify].
type Token struct {
	Issuer, Subject string   // empty without one
	Audience        []string // nil without one
	// Expires, NotBefore and IssuedAt are seconds since 1970; 0 without one.
	Expires, NotBefore, IssuedAt float64

	algorithm string
	keyID     string
	claims    map[string]json.RawMessage
	signed    string // what the signature is of
	signature []byte
}

// Parse reads a token. The error is a [*MalformedError].
func Parse(text string) (*Token, error) {
	if len(text) > MaxLength {
		return nil, malformed("it is too long")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, malformed("it has not three parts")
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
		return nil, malformed("it asks for extensions that are not understood")
	}
	if err := read(header, map[string]any{"alg": &t.algorithm, "kid": &t.keyID}); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"RS256", "RS384", "RS512", "ES256", "ES384"}, t.algorithm) {
		return nil, malformed("its algorithm is none of RS256, RS384, RS512, ES256 and ES384")
	}
	if err := read(t.claims, map[string]any{
		"iss": &t.Issuer, "sub": &t.Subject, "aud": (*Strings)(&t.Audience),
		"exp": &t.Expires, "nbf": &t.NotBefore, "iat": &t.IssuedAt,
	}); err != nil {
		return nil, err
	}
	return t, nil
}

// Claim reads a claim of another name, and reports whether there is one. The error
// means that it is not of the type asked for.
func (t *Token) Claim(name string, into any) (bool, error) {
	_, ok := t.claims[name]
	return ok, read(t.claims, map[string]any{name: into})
}

// Strings is a claim that is a list of strings, or one.
type Strings []string

// UnmarshalJSON reads both.
func (s *Strings) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*s = []string{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(s))
}

// read those values of an object that there are.
func read(object map[string]json.RawMessage, into map[string]any) error {
	for name, value := range into {
		raw, ok := object[name]
		if !ok {
			continue
		}
		if bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, value) != nil {
			return malformed("its " + name + " is of another type")
		}
	}
	return nil
}

// decode undoes base64url, which has one spelling here: no padding, no line breaks,
// no stray bits.
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

// decodeObject reads a JSON object in base64url. A name that stands in it twice
// could be read as the one or as the other.
func decodeObject(text string) (map[string]json.RawMessage, error) {
	decoded, err := decode(text)
	if err != nil {
		return nil, err
	}
	notAnObject := malformed("a part is not one JSON object")
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
			return nil, malformed("a name stands in it twice")
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
