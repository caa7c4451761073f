package sts

import (
	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

func identityOperations() []api.Operation {
	return []api.Operation{
		// It needs no permission, and no policy can deny it.
		api.Define(api.Definition[api.Form]{
			Facts: api.Facts{Name: "GetCallerIdentity", ReadOnly: true}, Decode: api.FormOf, Run: getCallerIdentity,
		}),
		api.Define(api.Definition[string]{
			Facts:    api.Facts{Name: "GetAccessKeyInfo", ReadOnly: true, Accepts: []string{"AccessKeyId"}},
			Decode:   text("AccessKeyId", 16, 128, wordPattern),
			Resource: api.Anything[string], Run: getAccessKeyInfo,
		}),
		api.Define(api.Definition[string]{
			Facts:    api.Facts{Name: "DecodeAuthorizationMessage", ReadOnly: true, Accepts: []string{"EncodedMessage"}},
			Decode:   text("EncodedMessage", 1, account.MaxEncoded, pattern.Pattern{}),
			Resource: api.Anything[string], Run: decodeAuthorizationMessage,
		}),
	}
}

type callerIdentity struct {
	Arn     string
	UserID  string `xml:"UserId" json:"UserId"`
	Account string
}

func getCallerIdentity(tx *account.Tx, _ api.Form) (any, error) {
	return callerIdentity{Arn: tx.Caller.ARN, UserID: tx.Caller.UserID, Account: tx.Account.ID}, nil
}

func getAccessKeyInfo(tx *account.Tx, id string) (any, error) {
	owner, ok := tx.AccountOfKey(id)
	if !ok {
		return nil, validationError("The access key ID " + id + " does not exist.")
	}
	return struct{ Account string }{owner}, nil
}

func decodeAuthorizationMessage(tx *account.Tx, text string) (any, error) {
	decoded, err := tx.Account.Decode(text)
	if err != nil {
		return nil, badRequest("InvalidAuthorizationMessageException", "The message is not one that this local AWS encoded.")
	}
	return struct{ DecodedMessage string }{decoded}, nil
}
