package account

import (
	"strings"
	"time"
)

// A Call is an API call before its caller is authenticated.
type Call struct {
	// Service is the name of the service as policies and signatures have it, and
	// Operation that of its operation.
	Service, Operation string
	Region             string
	RequestID          string
	Time               time.Time
	// SourceIP is the address of the client; empty if it has none. TLS reports that
	// the connection is encrypted.
	SourceIP string
	TLS      bool
	// UserAgent is what the client calls itself; empty if it does not.
	UserAgent string
}

// Action returns the action that policies allow: eks:DescribeCluster.
func (c Call) Action() string { return c.Service + ":" + c.Operation }

// A Tx is a transaction in an account: while it runs, no other does, in any account.
// Nothing undoes what it has changed, so an operation checks everything before it
// changes anything.
type Tx struct {
	Call
	Account *Account
	// AccessKeyID is the key that signed the call, Caller its owner. An unsigned call
	// has a WebIdentity at most.
	AccessKeyID string
	Caller      *Caller
	WebIdentity *WebIdentity

	resource string
	changed  *bool
}

func (a *Account) tx(call Call) *Tx {
	if call.Time.IsZero() {
		call.Time = a.all.clock.Now().UTC()
	}
	return &Tx{Call: call, Account: a, changed: new(bool)}
}

// In returns the transaction in the account with an ID, and whether there is one: it
// reads and changes the state of that account. The call and its caller stay the same.
func (tx *Tx) In(accountID string) (*Tx, bool) {
	other, ok := tx.Account.all.Account(accountID)
	if !ok {
		return nil, false
	}
	in := *tx
	in.Account = other
	return &in, true
}

// AccountOfKey returns the ID of the account that an access key or a session belongs to,
// and whether there is one.
func (tx *Tx) AccountOfKey(accessKeyID string) (id string, ok bool) {
	for _, a := range tx.Account.all.list {
		if offered[Identities](a).KeyExists(accessKeyID) {
			return a.ID, true
		}
	}
	return "", false
}

// OfARN returns the ID of the account that an ARN names; empty if it names none.
func OfARN(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || !IDPattern().MatchString(parts[4]) {
		return ""
	}
	return parts[4]
}

// Do runs a transaction for a call. It returns the number of the change that it made,
// for [Account.Save]; zero if it made none.
func (a *Account) Do(call Call, run func(*Tx) error) (change uint64, err error) {
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	tx := a.tx(call)
	if err := run(tx); err != nil || !*tx.changed {
		return 0, err
	}
	all := a.all
	all.changes++
	if all.changed != nil {
		close(all.changed)
		all.changed = nil
	}
	return all.changes, nil
}

// Changed returns a channel that is closed at the next change of an account. Whoever
// reads the state after this call, and again when the channel is closed, misses no
// change.
func (a *Accounts) Changed() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.changed == nil {
		a.changed = make(chan struct{})
	}
	return a.changed
}

// View runs a transaction that changes nothing.
func (a *Account) View(run func(*Tx)) {
	_, _ = a.Do(Call{}, func(tx *Tx) error { run(tx); return nil })
}

// Update runs a transaction that changes the state, and saves it.
func (a *Account) Update(run func(*Tx) error) error {
	change, err := a.Do(Call{}, func(tx *Tx) error { tx.Change(); return run(tx) })
	if err != nil {
		return err
	}
	return a.Save(change)
}

// Save returns once a change of the state has been saved, if a file keeps it; zero
// is no change. Do not call it in a transaction.
func (a *Account) Save(change uint64) error {
	if a.all.store == nil || change == 0 {
		return nil
	}
	return a.all.store.save(change, a.all.snapshot)
}

// Change reports a change that must be saved before the call is answered. The gateway
// does this for every operation that is not read-only. To issue credentials is
// read-only for AWS, but they must be saved.
func (tx *Tx) Change() { *tx.changed = true }

// Changes returns the number of changes of all accounts before the transaction that calls
// it: what is derived from the state stays true while it is the same.
func (a *Account) Changes() uint64 { return a.all.changes }

// Resource returns the first resource that the call needed permission for; empty
// before that.
func (tx *Tx) Resource() string { return tx.resource }

// ARN returns an ARN in the account: ARN("iam", "", "user/bob").
func (tx *Tx) ARN(service, region, resource string) string {
	return tx.Account.ARN(service, region, resource)
}

// Get returns the section of a type, which is that of a service. Only the service may
// know the type.
func Get[S Section](tx *Tx) S { return offered[S](tx.Account) }

// offered returns the section of a type, or that implements an interface.
func offered[T any](a *Account) T {
	var none T
	for _, section := range a.state {
		if found, ok := section.(T); ok {
			return found
		}
	}
	return none
}
