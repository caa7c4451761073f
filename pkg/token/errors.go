package token

import "errors"

// The errors of [Parse], in the order of its checks. They contain no part of the
// token, since a presigned URL is a credential.
var (
	ErrTooLong  = errors.New("token is longer than 16384 bytes")
	ErrPrefix   = errors.New(`token does not start with "k8s-aws-v1."`)
	ErrEncoding = errors.New("token is not canonical base64url without padding")

	ErrURL      = errors.New("token does not contain a valid URL in printable ASCII")
	ErrScheme   = errors.New(`URL's scheme is not "https" (only a trusted endpoint that is not AWS's may have another)`)
	ErrUserinfo = errors.New("URL has a user name or password")
	ErrFragment = errors.New("URL has a fragment")
	ErrPort     = errors.New("URL has a port (only a trusted endpoint that is not AWS's may have one)")
	ErrPath     = errors.New(`URL's path is not "/"`)

	ErrHost = errors.New("URL's host is not an STS endpoint of the configured partition and regions")

	ErrQuery          = errors.New("query has a malformed or empty parameter")
	ErrParameter      = errors.New("query has a parameter that does not belong to a presigned GetCallerIdentity request")
	ErrRepeated       = errors.New("query repeats a parameter")
	ErrMissing        = errors.New("query lacks a parameter of a presigned GetCallerIdentity request")
	ErrParameterValue = errors.New("query has a value that is not in AWS's canonical URI encoding")

	ErrAction        = errors.New("the Action is not GetCallerIdentity")
	ErrVersion       = errors.New("the Version is not 2011-06-15")
	ErrAlgorithm     = errors.New("X-Amz-Algorithm is not AWS4-HMAC-SHA256")
	ErrSignature     = errors.New("X-Amz-Signature is not 64 lower-case hexadecimal digits")
	ErrCredential    = errors.New("X-Amz-Credential is not KEYID/yyyymmdd/region/sts/aws4_request with the region of the URL's host and the date of X-Amz-Date")
	ErrSignedHeaders = errors.New("X-Amz-SignedHeaders is not host;x-k8s-aws-id")
	ErrExpires       = errors.New("X-Amz-Expires is not a number from 0 to 900")
	ErrDate          = errors.New("X-Amz-Date is not a time like 20060102T150405Z")

	ErrExpired     = errors.New("token was signed more than 15 minutes ago")
	ErrNotYetValid = errors.New("token was signed more than 15 minutes in the future")
)
