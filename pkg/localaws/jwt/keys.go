package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
)

// maxKeys bounds an issuer's keys: a token without a key ID tries them all.
const maxKeys = 100

// Keys are the public keys of an issuer.
type Keys []key

// A key is an RSA key or an elliptic-curve key.
type key struct {
	id        string
	algorithm string // empty means any that fits the key
	rsa       *rsa.PublicKey
	ecdsa     *ecdsa.PublicKey
}

// ParseKeys parses a JSON Web Key Set (RFC 7517). It skips keys of other types, keys
// that are not for signatures, and invalid ones.
func ParseKeys(text []byte) (Keys, error) {
	var set struct {
		Keys []struct {
			Kty, Kid, Use, Alg, N, E, Crv, X, Y string
		}
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("reading a key set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("reading a key set: %d keys exceed the limit of %d", len(set.Keys), maxKeys)
	}
	var keys Keys
	for _, k := range set.Keys {
		parsed := key{id: k.Kid, algorithm: k.Alg}
		switch k.Kty {
		case "RSA":
			parsed.rsa = parseRSA(k.N, k.E)
		case "EC":
			parsed.ecdsa = parseEC(k.Crv, k.X, k.Y)
		}
		if (k.Use == "" || k.Use == "sig") && (parsed.rsa != nil || parsed.ecdsa != nil) {
			keys = append(keys, parsed)
		}
	}
	return keys, nil
}

// parseRSA returns nil if the key's size is unsafe or too large.
func parseRSA(modulus, exponent string) *rsa.PublicKey {
	n, err1 := decode(modulus)
	e, err2 := decode(exponent)
	if err1 != nil || err2 != nil {
		return nil
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
	exp := new(big.Int).SetBytes(e)
	if bits := key.N.BitLen(); bits < 2048 || bits > 8192 || exp.BitLen() > 31 || exp.BitLen() < 2 || exp.Bit(0) == 0 {
		return nil
	}
	key.E = int(exp.Int64())
	return key
}

// parseEC returns nil unless the key is a point of its curve.
func parseEC(curve, x, y string) *ecdsa.PublicKey {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384()}
	c, ok := curves[curve]
	if !ok {
		return nil
	}
	size := c.Params().BitSize / 8
	xs, err1 := decode(x)
	ys, err2 := decode(y)
	if err1 != nil || err2 != nil || len(xs) != size || len(ys) != size {
		return nil
	}
	key, err := ecdsa.ParseUncompressedPublicKey(c, slices.Concat([]byte{4}, xs, ys))
	if err != nil {
		return nil
	}
	return key
}

// Verify returns [ErrKey] or [ErrSignature] unless a key verifies the token. A token
// with a key ID needs that key.
func (t *Token) Verify(keys Keys) error {
	err := ErrKey
	for _, k := range keys {
		if t.keyID != "" && k.id != t.keyID || k.algorithm != "" && k.algorithm != t.algorithm {
			continue
		}
		if t.signedWith(k) {
			return nil
		}
		err = ErrSignature
	}
	return err
}

func (t *Token) signedWith(k key) bool {
	kind, hash, digest := t.digest()
	switch {
	case kind == "RS" && k.rsa != nil:
		return rsa.VerifyPKCS1v15(k.rsa, hash, digest, t.signature) == nil
	case kind == "ES" && k.ecdsa != nil && k.ecdsa.Curve.Params().BitSize == hash.Size()*8:
		size := hash.Size() // for these two curves, also the byte length of r and s
		if len(t.signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(t.signature[:size]), new(big.Int).SetBytes(t.signature[size:])
		return ecdsa.Verify(k.ecdsa, digest, r, s)
	}
	return false
}

// digest hashes a text with the hash in the algorithm's name.
func (t *Token) digest() (kind string, hash crypto.Hash, digest []byte) {
	switch kind, signed := t.algorithm[:2], []byte(t.signed); t.algorithm[2:] {
	case "384":
		sum := sha512.Sum384(signed)
		return kind, crypto.SHA384, sum[:]
	case "512":
		sum := sha512.Sum512(signed)
		return kind, crypto.SHA512, sum[:]
	default:
		sum := sha256.Sum256(signed)
		return kind, crypto.SHA256, sum[:]
	}
}
