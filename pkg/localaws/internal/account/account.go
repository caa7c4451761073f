// Package account is one AWS account: its state, in sections that services own; its
// transactions, through which services also query each other; its clock and its store.
package account

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"sync"
)

// Config configures [Open].
type Config struct {
	// ID has 12 digits.
	ID string
	// Region is the default region of clients, Partition that of the region.
	Region, Partition string
	Clock             *Clock
	// Parts are what the services keep in the account.
	Parts []Part
	// StateFile keeps the state. Empty means in memory only.
	StateFile string
}

// An Account holds the state of its services. Transactions take effect one after the
// other.
type Account struct {
	ID, Region, Partition string

	clock   *Clock
	parts   []Part
	sealer  cipher.AEAD // encrypts messages for DecodeAuthorizationMessage
	store   *store      // nil if the state is in memory only
	closing sync.Once

	mu      sync.Mutex
	state   []Section
	changes uint64 // number of state changes so far
}

// Open returns an account with the state in its file, if there is one, or an empty
// state.
func Open(config Config) (*Account, error) {
	a := &Account{ID: config.ID, Region: config.Region, Partition: config.Partition, clock: config.Clock, parts: config.Parts}
	var err error
	if a.sealer, err = newSealer(); err != nil {
		return nil, err
	}
	if config.StateFile == "" {
		a.begin(a.empty())
		return a, nil
	}
	var text []byte
	if a.store, text, err = openStore(config.StateFile); err != nil {
		return nil, err
	}
	loaded := a.empty()
	if text != nil {
		if loaded, err = a.decode(text); err != nil {
			err = fmt.Errorf("%w; state file %s is unchanged: replace it with a valid one, or move it away to start empty", err, a.store.path)
			return nil, errors.Join(err, a.store.close())
		}
	}
	// Write it now, to fail early if it cannot be written.
	if err := a.replace(loaded); err != nil {
		return nil, errors.Join(err, a.store.close())
	}
	return a, nil
}

// Close saves pending changes and releases the state file; without one it does
// nothing. After Close, saving fails.
func (a *Account) Close() (err error) {
	a.closing.Do(func() {
		if a.store == nil {
			return
		}
		// Reads leave changes too, such as a key's last use: they wait for the next
		// change or for Close.
		err = errors.Join(a.Update(func(*Tx) error { return nil }), a.store.close())
	})
	return err
}

// ARN returns an ARN in the account: ARN("iam", "", "user/bob").
func (a *Account) ARN(service, region, resource string) string {
	return "arn:" + a.Partition + ":" + service + ":" + region + ":" + a.ID + ":" + resource
}

// Domain returns the DNS suffix of AWS's host names in the account's partition.
func (a *Account) Domain() string {
	if a.Partition == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
