package localaws

import (
	"net/http"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// A call is a transaction as the services in this package see it.
type call struct {
	*AWS
	tx *account.Tx

	service, region string
	// operation is the operation's name as policies have it: "sts:AssumeRole".
	operation string
	time      time.Time
}

// callOf returns the call of a transaction.
func callOf(tx *account.Tx) *call {
	a := account.Get[*state](tx).aws
	return &call{
		AWS: a, tx: tx, service: tx.Service, region: tx.Region, operation: tx.Action(), time: tx.Time,
	}
}

// authorize checks the caller's own policies for permission. Keys are the
// condition keys that only this action has, in lower case.
func (c *call) authorize(action, resource string, keys map[string][]string) *Error {
	if err := c.tx.Authorize(action, resource, keys); err != nil {
		return api.ErrorOf(err)
	}
	return nil
}

// ServeHTTP answers an API call to any of AWS's hosts.
func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.gateway.ServeHTTP(w, r) }
