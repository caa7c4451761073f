package gateway

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/sigv4"
)

// identify proves who calls an unsigned operation; it returns nil for other calls.
func (g *Gateway) identify(c call) (*account.WebIdentity, *api.Error) {
	if c.malformed != nil || c.operation.Identify == nil {
		return nil, nil
	}
	web, err := c.operation.Identify(c.request.Context(), g.accounts, c.Call, c.input)
	if err != nil {
		return nil, api.ErrorOf(err)
	}
	return web, nil
}

// authenticate verifies the signature of a call, and returns who signed it; nil for
// an unsigned operation.
func authenticate(tx *account.Tx, c call) (*account.Caller, *api.Error) {
	if c.operation != nil && c.operation.Unsigned { // another credential proves the caller
		return nil, nil
	}
	if errors.Is(c.signature.err, sigv4.ErrMissing) {
		return nil, api.NewError(http.StatusForbidden, api.CodeMissingToken, "Request is missing Authentication Token")
	}
	if c.signature.err != nil {
		return nil, api.NewError(http.StatusBadRequest, api.CodeIncompleteSignature, c.signature.err.Error())
	}
	if failed := checkScope(c, tx.Account.Partition); failed != nil {
		return nil, failed
	}
	secret, caller, err := tx.Identities().Credentials(tx, c.signature.AccessKeyID, c.signature.SessionToken)
	switch {
	case errors.Is(err, account.ErrExpired):
		return nil, api.NewError(http.StatusForbidden, api.CodeExpiredToken, "The security token included in the request is expired")
	case err != nil:
		return nil, api.NewError(http.StatusForbidden, api.CodeInvalidToken, "The security token included in the request is invalid.")
	}
	if err := c.signature.Verify(secret); err != nil {
		return nil, signatureMismatch()
	}
	// The signature covers the time, so check the time only after the signature.
	if err := c.signature.CheckTime(c.Time); err != nil {
		return nil, api.NewError(http.StatusForbidden, api.CodeSignatureSkewed, err.Error())
	}
	return caller, nil
}

// checkScope checks that a signature is for the service and the region that the call
// is made to.
func checkScope(c call, partition string) *api.Error {
	if c.signature.Service != c.Service {
		return api.NewError(http.StatusForbidden, api.CodeSignatureMismatch, "Credential should be scoped to correct service: '"+c.Service+"'.")
	}
	of, ok := account.PartitionOf(c.signature.Region)
	if !ok { // for AWS, a client would not find the host of such a region
		return api.Refuse(http.StatusForbidden, api.CodeSignatureMismatch,
			"Credential should be scoped to a valid region, not '"+c.signature.Region+"'. localaws has no region of this name.")
	}
	if c.signature.Region != cmp.Or(regionOf(c.request.Host), globalRegion(c.request.Host), c.signature.Region) {
		return api.NewError(http.StatusForbidden, api.CodeSignatureMismatch, "Credential should be scoped to a valid region, not '"+c.signature.Region+"'.")
	}
	if of != partition {
		return api.Refuse(http.StatusForbidden, api.CodeInvalidToken,
			"localaws serves partition "+partition+", and region "+c.signature.Region+" is in partition "+of+". To serve that one, start localaws with --partition "+of+".")
	}
	return nil
}

func signatureMismatch() *api.Error {
	return api.NewError(http.StatusForbidden, api.CodeSignatureMismatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}
