package token

import "errors"

// Every way in which a token can be wrong on its face, in the order in which
// [Parse] looks. The texts are the whole errors: they never hold a part of the
// token, since a presigned URL is a credential.
var (
	ErrTooLong  = errors.New("token is longer than 16384 bytes")
	ErrPrefix   = errors.New(`token does not begin with "k8s-aws-v1."`)
	ErrEncoding = errors.New("token is not canonical base64url without padding")

	ErrURL      = errors.New("token holds no valid URL of printable ASCII")
	ErrScheme   = errors.New(`URL's scheme is not "https", and its endpoint is not the one that is trusted besides AWS's`)
	ErrUserinfo = errors.New("URL has a user name or password")
	ErrFragment = errors.New("URL has a fragment")
	ErrPort     = errors.New("URL names a port, and its endpoint is not the one that is trusted besides AWS's")
	ErrPath     = errors.New(`URL's path is not "/"`)

	ErrHost = errors.New("URL's host is not an STS endpoint of the configured partition and regions")

	ErrQuery          = errors.New("query has a malformed or empty pair")
	ErrParameter      = errors.New("query has a parameter that a presigned GetCallerIdentity request does not have")
	ErrRepeated       = errors.New("query has a parameter twice")
	ErrMissing        = errors.New("query lacks a parameter that a presigned GetCallerIdentity request has")
	ErrParameterValue = errors.New("query has a value that is not spelled as AWS spells it")

	ErrAction        = errors.New("the Action is not GetCallerIdentity")
	ErrVersion       = errors.New("the Version is not 2011-06-15")
	ErrAlgorithm     = errors.New("X-Amz-Algorithm is not AWS4-HMAC-SHA256")
	ErrSignature     = errors.New("X-Amz-Signature is not 64 lower-case hexadecimal digits")
	ErrCredential    = errors.New("X-Amz-Credential is not KEYID/yyyymmdd/region/sts/aws4_request of the URL's host and date")
	ErrSignedHeaders = errors.New("X-Amz-SignedHeaders is not host;x-k8s-aws-id")
	ErrExpires       = errors.New("X-Amz-Expires is not a number from 0 to 900")
	ErrDate          = errors.New("X-Amz-Date is not a time like 20060102T150405Z")

	ErrExpired     = errors.New("token was signed more than 15 minutes ago")
	ErrNotYetValid = errors.New("token was signed more than 15 minutes in the future")
)
