package token

import (
	"slices"
	"strings"
	"time"
)

// Parts are the parts of a token that are not secret. A part is its zero value if
// [Parse] failed before it read that part. Nobody has proven them.
type Parts struct {
	// Host is the STS host, and Region its region.
	Host, Region string
	// AccessKeyID is the ID of the key that the token claims to be signed with.
	AccessKeyID string
	// Signed is when the token claims to have been signed.
	Signed time.Time
}

// Inspect returns the parts of a token, as far as [Parse] reads it, and the error of
// Parse.
func Inspect(token string, hosts Hosts, now time.Time) (Parts, error) {
	r, err := parse(token, hosts, now)
	parts := Parts{Region: r.region, AccessKeyID: r.accessKeyID}
	if isHostName(r.host) {
		parts.Host = r.host
	}
	if r.signed != 0 {
		parts.Signed = r.Time()
	}
	return parts, err
}

// isHostName reports whether a text has the form of a host name. A malformed URL may
// have anything in place of its host, even a signature.
func isHostName(host string) bool {
	const longest, longestLabel = 253, 63
	return len(host) <= longest && consistsOf(host, isOriginByte) &&
		!slices.ContainsFunc(strings.Split(host, "."), func(label string) bool { return len(label) > longestLabel })
}
