package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/jwt"
)

// An issuer signs tokens, as identity providers do.
type issuer struct {
	rsa        *rsa.PrivateKey
	p256, p384 *ecdsa.PrivateKey
}

func newIssuer(t testing.TB) issuer {
	t.Helper()
	var i issuer
	var err error
	if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if i.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	return i
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// token returns a signed token with a header and claims, both JSON.
func (i issuer) token(t testing.TB, algorithm, header, claims string) string {
	t.Helper()
	signed := base64url([]byte(header)) + "." + base64url([]byte(claims))
	hash, ok := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[algorithm[2:]]
	if !ok {
		t.Fatalf("no hash for %s", algorithm)
	}
	h := hash.New()
	h.Write([]byte(signed))
	digest := h.Sum(nil)
	var signature []byte
	var err error
	switch algorithm[:2] {
	case "RS":
		signature, err = rsa.SignPKCS1v15(nil, i.rsa, hash, digest)
	case "PS":
		signature, err = rsa.SignPSS(rand.Reader, i.rsa, hash, digest, nil)
	case "ES":
		key := i.p256
		if algorithm == "ES384" {
			key = i.p384
		}
		var r, s *big.Int
		r, s, err = ecdsa.Sign(rand.Reader, key, digest)
		size := key.Params().BitSize / 8
		signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64url(signature)
}

func (i issuer) jwks(t testing.TB) []byte {
	t.Helper()
	point := func(id, curve string, key *ecdsa.PrivateKey) map[string]string {
		size := key.Params().BitSize / 8
		return map[string]string{"kty": "EC", "kid": id, "crv": curve, "x": base64url(key.X.FillBytes(make([]byte, size))), "y": base64url(key.Y.FillBytes(make([]byte, size)))}
	}
	text, err := json.Marshal(map[string]any{"keys": []map[string]string{
		{"kty": "OKP", "kid": "another kind", "crv": "Ed25519", "x": "AA"},
		{"kty": "RSA", "kid": "rsa", "use": "sig", "n": base64url(i.rsa.N.Bytes()), "e": "AQAB"},
		point("p256", "P-256", i.p256), point("p384", "P-384", i.p384),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (i issuer) keys(t testing.TB) jwt.Keys {
	t.Helper()
	keys, err := jwt.ParseKeys(i.jwks(t))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// inASN1 returns an ES256 token with its signature in ASN.1, as in X.509.
func inASN1(t testing.TB, token string) string {
	t.Helper()
	at := strings.LastIndex(token, ".") + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[at:])
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := asn1.Marshal([]*big.Int{new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])})
	if err != nil {
		t.Fatal(err)
	}
	return token[:at] + base64url(encoded)
}

const claims = `{"iss":"https://issuer","sub":"s","aud":["a","b"],"exp":1700000000.5,"nbf":1,"iat":2,"Iss":"another","extra":{"deep":[1]}}`

func TestVerify(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	other := newIssuer(t)
	other.rsa = i.rsa // same key IDs, but two of the three keys differ
	keys := i.keys(t)
	good := i.token(t, "ES256", `{"alg":"ES256"}`, claims)
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"RS256":                    {i.token(t, "RS256", `{"alg":"RS256","kid":"rsa"}`, claims), nil},
		"RS384":                    {i.token(t, "RS384", `{"alg":"RS384","kid":"rsa"}`, claims), nil},
		"RS512":                    {i.token(t, "RS512", `{"alg":"RS512","kid":"rsa","typ":"JWT"}`, claims), nil},
		"ES256":                    {i.token(t, "ES256", `{"alg":"ES256","kid":"p256"}`, claims), nil},
		"ES384":                    {i.token(t, "ES384", `{"alg":"ES384","kid":"p384"}`, claims), nil},
		"without a key ID":         {i.token(t, "ES384", `{"alg":"ES384"}`, claims), nil},
		"an unknown key ID":        {i.token(t, "RS256", `{"alg":"RS256","kid":"gone"}`, claims), jwt.ErrKey},
		"a key ID of another kind": {i.token(t, "RS256", `{"alg":"RS256","kid":"p256"}`, claims), jwt.ErrSignature},
		"the key of another curve": {i.token(t, "ES256", `{"alg":"ES256","kid":"p384"}`, claims), jwt.ErrSignature},
		"another hash":             {i.token(t, "RS256", `{"alg":"RS512","kid":"rsa"}`, claims), jwt.ErrSignature},
		"another key":              {other.token(t, "ES256", `{"alg":"ES256","kid":"p256"}`, claims), jwt.ErrSignature},
		"another padding":          {i.token(t, "PS256", `{"alg":"RS256","kid":"rsa"}`, claims), jwt.ErrSignature},
		"no signature":             {good[:strings.LastIndex(good, ".")+1], jwt.ErrSignature},
		"half a signature":         {good[:len(good)-38], jwt.ErrSignature},
		"a signature in ASN.1":     {inASN1(t, good), jwt.ErrSignature},
	} {
		token, err := jwt.Parse(test.token)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := token.Verify(keys); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if err := token.Verify(nil); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%s, without keys: %v", name, err)
		}
	}
}

// TestOneBitChanged flips a bit in each character of a token; none may verify.
func TestOneBitChanged(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	keys := i.keys(t)
	for _, good := range []string{
		i.token(t, "RS256", `{"alg":"RS256"}`, claims), i.token(t, "ES256", `{"alg":"ES256"}`, claims),
	} {
		for at := range good {
			changed := []byte(good)
			changed[at] ^= 1
			token, err := jwt.Parse(string(changed))
			if err == nil {
				err = token.Verify(keys)
			}
			if err == nil {
				t.Errorf("the token verifies with character %d changed to %q", at, changed[at])
			}
		}
	}
}

// TestPublicKeyIsNoSecret checks that a token signed by HMAC with the public key
// does not verify, whichever algorithm it names.
func TestPublicKeyIsNoSecret(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	public, err := x509.MarshalPKIXPublicKey(&i.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range []string{"HS256", "RS256"} {
		signed := base64url([]byte(`{"alg":"`+algorithm+`"}`)) + "." + base64url([]byte(claims))
		mac := hmac.New(sha256.New, public)
		mac.Write([]byte(signed))
		token, err := jwt.Parse(signed + "." + base64url(mac.Sum(nil)))
		if err == nil {
			err = token.Verify(i.keys(t))
		}
		if err == nil {
			t.Errorf("%s verifies", algorithm)
		}
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	token, err := jwt.Parse(i.token(t, "ES256", `{"alg":"ES256"}`, claims))
	if err != nil {
		t.Fatal(err)
	}
	if token.Issuer != "https://issuer" || token.Subject != "s" || !slices.Equal(token.Audience, []string{"a", "b"}) ||
		token.Expires != 1700000000.5 || token.NotBefore != 1 || token.IssuedAt != 2 {
		t.Errorf("%+v", token)
	}
	var extra struct{ Deep []int }
	if ok, err := token.Claim("extra", &extra); !ok || err != nil || !slices.Equal(extra.Deep, []int{1}) {
		t.Errorf("%v, %v, %v", extra, ok, err)
	}
	if ok, err := token.Claim("missing", &extra); ok || err != nil {
		t.Errorf("missing: %v, %v", ok, err)
	}
	var text string
	if _, err := token.Claim("extra", &text); err == nil {
		t.Error("an object was read as a string")
	}
	if token, err = jwt.Parse(i.token(t, "ES256", `{"alg":"ES256"}`, `{"aud":"one"}`)); err != nil || !slices.Equal(token.Audience, []string{"one"}) {
		t.Errorf("%+v, %v", token, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	part := func(text string) string { return base64url([]byte(text)) }
	header, body := part(`{"alg":"RS256"}`), part(`{}`)
	for name, text := range map[string]string{
		"nothing":                   "",
		"two parts":                 header + "." + body,
		"four parts":                header + "." + body + ".AA.AA",
		"a header not in base64":    "!." + body + ".AA",
		"padding":                   header + "." + body + ".AA==",
		"another alphabet":          header + "." + body + ".+/+/",
		"stray bits":                header + "." + body + ".AB",
		"a line break":              header + "." + body + ".A\nA",
		"a header not in JSON":      part(`{`) + "." + body + ".AA",
		"a header that is a list":   part(`["alg"]`) + "." + body + ".AA",
		"a header that is null":     part(`null`) + "." + body + ".AA",
		"claims not in JSON":        header + "." + part(`{"a"}`) + ".AA",
		"claims not in UTF-8":       header + "." + part("{\"a\":\"\xff\"}") + ".AA",
		"trailing data":             header + "." + part(`{}{}`) + ".AA",
		"an algorithm twice":        part(`{"alg":"RS256","alg":"ES256"}`) + "." + body + ".AA",
		"a claim twice":             header + "." + part(`{"sub":"a","\u0073ub":"b"}`) + ".AA",
		"no algorithm":              part(`{}`) + "." + body + ".AA",
		"an algorithm in capitals":  part(`{"ALG":"RS256"}`) + "." + body + ".AA",
		"the algorithm none":        part(`{"alg":"none"}`) + "." + body + ".",
		"the algorithm None":        part(`{"alg":"None"}`) + "." + body + ".",
		"a symmetric algorithm":     part(`{"alg":"HS256"}`) + "." + body + ".AA",
		"an algorithm not listed":   part(`{"alg":"ES512"}`) + "." + body + ".AA",
		"an extension":              part(`{"alg":"RS256","crit":["b64"],"b64":false}`) + "." + body + ".AA",
		"a key ID that is a number": part(`{"alg":"RS256","kid":1}`) + "." + body + ".AA",
		"an issuer that is null":    header + "." + part(`{"iss":null}`) + ".AA",
		"an expiry that is text":    header + "." + part(`{"exp":"1700000000"}`) + ".AA",
		"an audience of numbers":    header + "." + part(`{"aud":[1]}`) + ".AA",
		"too long":                  header + "." + body + "." + strings.Repeat("A", jwt.MaxLength),
	} {
		token, err := jwt.Parse(text)
		if _, ok := errors.AsType[*jwt.MalformedError](err); !ok || token != nil {
			t.Errorf("%s: %v, %v", name, token, err)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	n := base64url(i.rsa.N.Bytes())
	x, y := base64url(i.p256.X.FillBytes(make([]byte, 32))), base64url(i.p256.Y.FillBytes(make([]byte, 32)))
	for name, test := range map[string]struct {
		text string
		want int // number of keys; negative for an error
	}{
		"good":                     {string(i.jwks(t)), 3},
		"none":                     {`{"keys":[]}`, 0},
		"not JSON":                 {`{`, -1},
		"not a set":                {`[]`, -1},
		"too many":                 {`{"keys":[` + strings.Repeat(`{},`, 100) + `{}]}`, -1},
		"RSA":                      {`{"keys":[{"kty":"RSA","n":"` + n + `","e":"AQAB"}]}`, 1},
		"RSA for encryption":       {`{"keys":[{"kty":"RSA","use":"enc","n":"` + n + `","e":"AQAB"}]}`, 0},
		"RSA too short":            {`{"keys":[{"kty":"RSA","n":"` + base64url(small.N.Bytes()) + `","e":"AQAB"}]}`, 0},
		"RSA too long":             {`{"keys":[{"kty":"RSA","n":"` + base64url(slices.Repeat([]byte{255}, 1025)) + `","e":"AQAB"}]}`, 0},
		"RSA with the exponent 1":  {`{"keys":[{"kty":"RSA","n":"` + n + `","e":"AQ"}]}`, 0},
		"RSA with an even one":     {`{"keys":[{"kty":"RSA","n":"` + n + `","e":"Ag"}]}`, 0},
		"RSA with a long one":      {`{"keys":[{"kty":"RSA","n":"` + n + `","e":"AQAAAAAAAAE"}]}`, 0},
		"RSA not in base64":        {`{"keys":[{"kty":"RSA","n":"!","e":"AQAB"}]}`, 0},
		"EC":                       {`{"keys":[{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `"}]}`, 1},
		"EC of another curve":      {`{"keys":[{"kty":"EC","crv":"P-384","x":"` + x + `","y":"` + y + `"}]}`, 0},
		"EC of an unknown curve":   {`{"keys":[{"kty":"EC","crv":"P-1","x":"` + x + `","y":"` + y + `"}]}`, 0},
		"EC off the curve":         {`{"keys":[{"kty":"EC","crv":"P-256","x":"` + y + `","y":"` + x + `"}]}`, 0},
		"a symmetric key":          {`{"keys":[{"kty":"oct","k":"AA"}]}`, 0},
		"one for one algorithm":    {`{"keys":[{"kty":"RSA","alg":"RS512","n":"` + n + `","e":"AQAB"}]}`, 1},
		"a member of another type": {`{"keys":[{"kty":1}]}`, -1},
	} {
		keys, err := jwt.ParseKeys([]byte(test.text))
		if test.want < 0 && err == nil || test.want >= 0 && (err != nil || len(keys) != test.want) {
			t.Errorf("%s: %d keys, %v, want %d", name, len(keys), err, test.want)
		}
	}
	keys, err := jwt.ParseKeys([]byte(`{"keys":[{"kty":"RSA","alg":"RS512","n":"` + n + `","e":"AQAB"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for algorithm, want := range map[string]error{"RS256": jwt.ErrKey, "RS512": nil} {
		token, err := jwt.Parse(i.token(t, algorithm, `{"alg":"`+algorithm+`"}`, claims))
		if err != nil {
			t.Fatal(err)
		}
		if err := token.Verify(keys); !errors.Is(err, want) {
			t.Errorf("%s with a key for RS512: %v, want %v", algorithm, err, want)
		}
	}
}

// FuzzParse checks that nothing crashes, and that no token verifies but those that
// were signed, byte for byte.
func FuzzParse(f *testing.F) {
	i := newIssuer(f)
	keys := i.keys(f)
	good := []string{
		i.token(f, "RS256", `{"alg":"RS256","kid":"rsa"}`, claims),
		i.token(f, "ES256", `{"alg":"ES256"}`, claims),
		i.token(f, "ES384", `{"alg":"ES384"}`, `{}`),
	}
	for _, text := range append(good, "", "..", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := jwt.Parse(text)
		if err != nil {
			if token != nil {
				t.Errorf("%q: %v and a token", text, err)
			}
			return
		}
		if err := token.Verify(keys); err == nil && !slices.Contains(good, text) {
			t.Errorf("%q verifies", text)
		}
	})
}

// FuzzParseKeys checks that nothing crashes, and that keys verify nothing that they
// did not sign.
func FuzzParseKeys(f *testing.F) {
	i := newIssuer(f)
	f.Add(i.jwks(f))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"RSA","n":"AA","e":"AA"}]}`))
	signed := newIssuer(f).token(f, "ES256", `{"alg":"ES256"}`, claims)
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := jwt.ParseKeys(text)
		if err != nil {
			return
		}
		token, err := jwt.Parse(signed)
		if err != nil {
			t.Fatal(err)
		}
		if err := token.Verify(keys); err == nil {
			t.Errorf("%q verify what they did not sign", text)
		}
	})
}
