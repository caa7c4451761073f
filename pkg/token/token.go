// Package token is the wire form of the bearer token by which an AWS identity
// signs in to Kubernetes, and every rule about it that needs no network.
//
// A token is "k8s-aws-v1." and the base64url of one presigned URL:
//
//	https://sts.eu-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15
//	  &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=…&X-Amz-Date=…&X-Amz-Expires=60
//	  [&X-Amz-Security-Token=…]&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=…
//
// Whoever sends that request to STS learns who signed it. The cluster's ID is
// not in the URL: it is the value of the signed header [ClusterIDHeader], which
// the verifying server sends with its own ID, so that a token for one cluster is
// worth nothing at another.
//
// A presigned URL is a credential: no error of this package holds any part of it.
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
	// Lifetime of a token from the time it was signed. STS sees to it too, and
	// takes no notice of X-Amz-Expires.
	Lifetime = 15 * time.Minute
	// MaxSkew is how far in the future a token may have been signed: what STS
	// itself tolerates of a client's clock.
	MaxSkew = 15 * time.Minute
)

// Request is a token that keeps every rule of the wire form; who signed it is
// not known yet. It is comparable, and the zero value is no token.
//
// Printing one with fmt or slog names the access key, the host and the time;
// only [Request.String] and [Request.URL] give the credential away.
type Request struct {
	url         string
	host        string
	region      string
	partition   string
	accessKeyID string
	signed      int64 // seconds since 1970, so that equal requests compare equal
}

// Encode makes a token of a presigned URL: the client's half of the wire form.
// It checks nothing; [Parse] does.
func Encode(presignedURL string) string {
	return Prefix + base64.RawURLEncoding.EncodeToString([]byte(presignedURL))
}

// String is the token, byte for byte as it was parsed. It is a credential.
func (r Request) String() string {
	if r.IsZero() {
		return ""
	}
	return Encode(r.url)
}

// URL is the presigned URL to send to STS. It is a credential.
func (r Request) URL() string { return r.url }

// Host is the STS host that the token names.
func (r Request) Host() string { return r.host }

// Region of the host; us-east-1 for the global one.
func (r Request) Region() string { return r.region }

// Partition that the token was accepted for: who signed it must be of it.
func (r Request) Partition() string { return r.partition }

// AccessKeyID that the token claims to be signed with; STS proves it.
func (r Request) AccessKeyID() string { return r.accessKeyID }

// Time at which the token says that it was signed.
func (r Request) Time() time.Time { return time.Unix(r.signed, 0).UTC() }

// Expires is when the token ends.
func (r Request) Expires() time.Time { return r.Time().Add(Lifetime) }

// IsZero reports whether r is no token at all.
func (r Request) IsZero() bool { return r.url == "" }

// Format prints a request without its credential, whatever the verb.
func (r Request) Format(state fmt.State, _ rune) {
	if r.IsZero() {
		fmt.Fprint(state, "no token")
		return
	}
	fmt.Fprintf(state, "token of %s for %s, signed %s", r.accessKeyID, r.host, r.Time().Format(time.RFC3339))
}

// LogValue logs a request without its credential.
func (r Request) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("accessKeyID", r.accessKeyID),
		slog.String("host", r.host),
		slog.Time("signed", r.Time()),
	)
}
