package gateway

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/sigv4"
)

// identify proves who calls an unsigned operation.
func identify(ctx context.Context, in *account.Account, c call, fault *api.Error) (*account.WebIdentity, *api.Error) {
	if fault != nil || c.malformed != nil || c.operation.Identify == nil {
		return nil, nil
	}
	web, err := c.operation.Identify(ctx, in, c.Call, c.input)
	if err != nil {
		return nil, api.ErrorOf(err)
	}
	return web, nil
}

// authenticate verifies the signature of a call and sets the caller.
func authenticate(tx *account.Tx, c call) *api.Error {
	if c.operation != nil && c.operation.Unsigned { // another credential proves the caller
		return nil
	}
	if errors.Is(c.signature.err, sigv4.ErrMissing) {
		return api.NewError(http.StatusForbidden, api.CodeMissingToken, "Request is missing Authentication Token")
	}
	if c.signature.err != nil {
		return api.NewError(http.StatusBadRequest, api.CodeIncompleteSignature, c.signature.err.Error())
	}
	if c.signature.Service != c.Service {
		return api.NewError(http.StatusForbidden, api.CodeSignatureMismatch, "Credential should be scoped to correct service: '"+c.Service+"'.")
	}
	if _, ok := account.PartitionOf(c.signature.Region); !ok || c.signature.Region != cmp.Or(regionOf(c.request.Host), c.signature.Region) {
		return api.NewError(http.StatusForbidden, api.CodeSignatureMismatch, "Credential should be scoped to a valid region, not '"+c.signature.Region+"'.")
	}
	identities := tx.Identities()
	secret, caller, err := identities.Credentials(tx, c.signature.AccessKeyID, c.signature.SessionToken)
	switch {
	case errors.Is(err, account.ErrExpired):
		return api.NewError(http.StatusForbidden, api.CodeExpiredToken, "The security token included in the request is expired")
	case err != nil:
		return api.NewError(http.StatusForbidden, api.CodeInvalidToken, "The security token included in the request is invalid.")
	}
	if err := c.signature.Verify(secret); err != nil {
		return signatureMismatch()
	}
	// The signature covers the time, so check the time only after the signature.
	if err := c.signature.CheckTime(c.Time); err != nil {
		return api.NewError(http.StatusForbidden, api.CodeSignatureSkewed, err.Error())
	}
	tx.AccessKeyID, tx.Caller = c.signature.AccessKeyID, caller
	identities.NoteUse(tx)
	return nil
}

func signatureMismatch() *api.Error {
	return api.NewError(http.StatusForbidden, api.CodeSignatureMismatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}
