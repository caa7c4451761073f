package localaws

import (
	"crypto/rand"
	"encoding/base64"
)

// newID returns a random ID as AWS makes them: a prefix for its kind, then n letters
// and digits of base 32.
func newID(prefix string, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	b := make([]byte, n)
	_, _ = rand.Read(b) // never returns an error: the program crashes instead
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return prefix + string(b)
}

// newSecret returns 40 characters, like AWS's secret access keys.
func newSecret() string { return randomBase64(30) }

func newSessionToken() string { return randomBase64(180) }

func randomBase64(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}
