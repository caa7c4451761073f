package account

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
)

// NewID returns a random ID as IAM makes them: a prefix for its kind, then n letters
// and digits of base 32.
func NewID(prefix string, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	b := randomBytes(n)
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return prefix + string(b)
}

// NewHexID returns a random ID as EC2 makes them: a prefix for its kind, then 17 hex
// digits.
func NewHexID(prefix string) string { return prefix + "0" + hex.EncodeToString(randomBytes(8)) }

// NewName returns a random ID as Organizations makes them: a prefix for its kind, then n
// letters and digits.
func NewName(prefix string, n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz012345"
	b := randomBytes(n)
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return prefix + string(b)
}

// NewUUID returns a random UUID.
func NewUUID() string {
	b := randomBytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b)
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// NewSecret returns 40 characters, like AWS's secret access keys.
func NewSecret() string { return base64.StdEncoding.EncodeToString(randomBytes(30)) }

// NewSessionToken returns a token for temporary credentials.
func NewSessionToken() string { return base64.StdEncoding.EncodeToString(randomBytes(180)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never returns an error: the program crashes instead
	return b
}
