// Package api is what a service of AWS is: its operations, its state and its errors.
// The gateway runs every service the same way.
package api

import (
	"context"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// A Service is a service of AWS.
type Service struct {
	// Name is the service in host names, signatures and actions: "eks". Title is what
	// people call it: "EKS".
	Name, Title string
	// Global reports that all calls are made to one region, whatever their endpoint.
	Global     bool
	Protocol   Protocol
	Operations []Operation
	// State is what the service keeps in an account.
	State account.Part
	// Translate gives an error with a common code the service's own code and status.
	// Nil keeps errors as they are.
	Translate func(*Error) *Error
	// Bars returns an error if the credentials of a caller can never call an
	// operation, whatever policies say. Nil means that all credentials can.
	Bars func(caller *account.Caller, operation string) error
}

// Facts are what the gateway, its faults and the trail know of an operation.
type Facts struct {
	Name string
	// Route is the method and the path of a REST operation: "GET /clusters/{name}". A
	// segment in braces matches any segment.
	Route string
	// Accepts lists the supported parameters of a Query operation, where "Tag.N.Key"
	// is a list, and those in the URL's query of a REST operation, where "tagKeys.N" is. Others are
	// rejected, since the client expects them to have an effect.
	Accepts []string
	// ReadOnly reports that the operation changes nothing that must be saved, and is
	// read-only in the trail.
	ReadOnly bool
	// Unsigned reports that the operation takes no signature: its callers have no
	// key.
	Unsigned bool
}

// An Operation is one operation of a service; see [Define].
type Operation struct {
	Facts
	// Identify proves who calls an unsigned operation, by what is in the request. It
	// may take time: no transaction runs meanwhile.
	Identify func(context.Context, *account.Accounts, account.Call, Input) (*account.WebIdentity, error)
	// Decode reads and validates the input. It knows neither caller nor state.
	Decode func(Input) (Decoded, error)
}

// A Decoded operation knows its input.
type Decoded struct {
	// Resource returns the ARN that the caller needs permission for. Nil means that
	// no permission is needed, or that Run asks for it.
	Resource func(*account.Tx) string
	// ConditionKeys returns the condition keys of the action, in lower case; may be
	// nil.
	ConditionKeys func(*account.Tx) map[string][]string
	// Run does the work, and returns what the protocol encodes.
	Run func(*account.Tx) (any, error)
}

// A Work asks the gateway to do slow work, such as making a key, outside the transaction
// and then retry the call. Other calls are answered meanwhile, so the retry authenticates
// and authorizes again. A Run returns it once it has checked everything, and has changed
// nothing.
type Work struct{ Do func() error }

func (*Work) Error() string { return "the work that the call needs is not done" }

// A Definition is an operation with an input of its own type. Its functions are as in
// [Decoded], and get the input.
type Definition[In any] struct {
	Facts
	Identify      func(context.Context, *account.Accounts, account.Call, Input) (*account.WebIdentity, error)
	Decode        func(Input) (In, error)
	Resource      func(*account.Tx, In) string
	ConditionKeys func(*account.Tx, In) map[string][]string
	Run           func(*account.Tx, In) (any, error)
}

// Define makes an operation.
func Define[In any](d Definition[In]) Operation {
	return Operation{Facts: d.Facts, Identify: d.Identify, Decode: func(input Input) (Decoded, error) {
		in, err := d.Decode(input)
		if err != nil {
			return Decoded{}, err
		}
		decoded := Decoded{Run: func(tx *account.Tx) (any, error) { return d.Run(tx, in) }}
		if d.Resource != nil {
			decoded.Resource = func(tx *account.Tx) string { return d.Resource(tx, in) }
		}
		if d.ConditionKeys != nil {
			decoded.ConditionKeys = func(tx *account.Tx) map[string][]string { return d.ConditionKeys(tx, in) }
		}
		return decoded, nil
	}}
}

// Anything is the resource of operations that have none.
func Anything[In any](*account.Tx, In) string { return "*" }
