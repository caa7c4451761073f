package localaws

import (
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

func decodeAuthorizationMessage(c *call, p *parameters) (any, *Error) {
	text, e := p.required("EncodedMessage", 1, account.MaxEncoded, nil)
	if e != nil {
		return nil, e
	}
	decoded, err := c.account.Decode(text)
	if err != nil {
		return nil, newError(http.StatusBadRequest, "InvalidAuthorizationMessageException", "The message is not one that this local AWS encoded.")
	}
	return struct{ DecodedMessage string }{decoded}, nil
}
