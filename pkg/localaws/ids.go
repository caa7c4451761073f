package localaws

import (
	"crypto/rand"
	"encoding/base64"
)

// newID is a random ID as AWS makes them: a prefix that tells its kind, then n
// letters and digits of base 32.
func newID(prefix string, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: the program is ended instead
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return prefix + string(b)
}

// newSecret is 40 characters, as AWS's secret access keys are.
func newSecret() string { return randomBase64(30) }

func newSessionToken() string { return randomBase64(180) }

func randomBase64(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}
