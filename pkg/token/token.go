// Package token implements the bearer token with which an AWS identity signs in to
// Kubernetes: its wire form, and every rule about it that needs no network.
//
// A token is "k8s-aws-v1." and the base64url of one presigned URL:
//
//	https://sts.eu-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15
//	  &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=…&X-Amz-Date=…&X-Amz-Expires=60
//	  [&X-Amz-Security-Token=…]&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=…
//
// Whoever sends that request to STS learns who signed it. The URL does not contain
// the cluster's ID. The ID is the value of the signed header [ClusterIDHeader],
// which the verifying server sends with its own ID, so that a token for one cluster
// is not valid for another.
//
// A presigned URL is a credential: no error of this package contains any part of it.
package token

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"time"
)

const (
	// Prefix begins every token.
	Prefix = "k8s-aws-v1."
	// MaxLength of a token in bytes. STS's session tokens reach 4096 bytes, and
	// a token that holds one passes 6 KiB.
	MaxLength = 16 * 1024
	// ClusterIDHeader is the signed header that binds a token to a cluster.
	ClusterIDHeader = "x-k8s-aws-id"
	// Lifetime of a token from the time it was signed. STS enforces it too, and
	// ignores X-Amz-Expires.
	Lifetime = 15 * time.Minute
	// MaxSkew is how far in the future a token may have been signed. STS allows the
	// same.
	MaxSkew = 15 * time.Minute
)

// Request is a token that [Parse] accepted. Who signed it is not known yet. It is
// comparable; the zero value is no token.
//
// Printed with fmt or slog, it shows the access key ID, the host and the time. Only
// [Request.String] and [Request.URL] return the credential.
type Request struct {
	url         string
	host        string
	region      string
	partition   string
	accessKeyID string
	signed      int64 // seconds since 1970, so that equal requests compare equal
}

// Encode returns the token for a presigned URL. It does not check the URL; [Parse]
// does.
func Encode(presignedURL string) string {
	return Prefix + base64.RawURLEncoding.EncodeToString([]byte(presignedURL))
}

// String returns the token, byte for byte as it was parsed. It is a credential.
func (r Request) String() string {
	if r.IsZero() {
		return ""
	}
	return Encode(r.url)
}

// URL returns the presigned URL to send to STS. It is a credential.
func (r Request) URL() string { return r.url }

// Host returns the STS host that the token names.
func (r Request) Host() string { return r.host }

// Region returns the region of the host; us-east-1 for the global host.
func (r Request) Region() string { return r.region }

// Partition returns the partition that the token was accepted for. The signer must
// belong to it.
func (r Request) Partition() string { return r.partition }

// AccessKeyID returns the ID of the key that the token claims to be signed with. STS
// proves the claim.
func (r Request) AccessKeyID() string { return r.accessKeyID }

// Time returns when the token claims to have been signed.
func (r Request) Time() time.Time { return time.Unix(r.signed, 0).UTC() }

// Expires returns when the token expires.
func (r Request) Expires() time.Time { return r.Time().Add(Lifetime) }

// IsZero reports whether r is the zero value.
func (r Request) IsZero() bool { return r.url == "" }

// Format prints the request without its credential, for every verb.
func (r Request) Format(state fmt.State, _ rune) {
	if r.IsZero() {
		fmt.Fprint(state, "no token")
		return
	}
	fmt.Fprintf(state, "token of %s for %s, signed %s", r.accessKeyID, r.host, r.Time().Format(time.RFC3339))
}

// LogValue returns the request without its credential.
func (r Request) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("accessKeyID", r.accessKeyID),
		slog.String("host", r.host),
		slog.Time("signed", r.Time()),
	)
}
