// Package account is the AWS accounts of a local AWS: their state, in sections that
// services own; transactions, through which services also query each other; the clock
// and the store.
package account

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"regexp"
	"sync"
)

// MaxAccounts bounds the number of accounts.
const MaxAccounts = 32

// Config configures [Open].
type Config struct {
	// IDs are those of the accounts, with 12 digits each. The first is the default.
	IDs []string
	// Region is the default region of clients, Partition that of the region.
	Region, Partition string
	Clock             *Clock
	// Parts are what the services keep in each account.
	Parts []Part
	// StateFile keeps the state of all accounts. Empty means in memory only.
	StateFile string
}

// Accounts are all accounts. Transactions take effect one after the other, in
// whichever accounts they are.
type Accounts struct {
	list    []*Account
	clock   *Clock
	parts   []Part
	store   *store // nil if the state is in memory only
	closing sync.Once

	mu      sync.Mutex
	changes uint64 // number of state changes so far
	// changed is closed at the next change. It is nil while nobody waits.
	changed chan struct{}
}

// An Account holds the state that its services keep.
type Account struct {
	ID, Region, Partition string

	all    *Accounts
	sealer cipher.AEAD // encrypts messages for DecodeAuthorizationMessage
	state  []Section
}

// IDPattern matches the ID of an account.
var IDPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d{12}$`) })

// Open returns accounts with the state in their file, if there is one, or an empty
// state.
func Open(config Config) (*Accounts, error) {
	s := &Accounts{clock: config.Clock, parts: config.Parts}
	if len(config.IDs) == 0 || len(config.IDs) > MaxAccounts {
		return nil, fmt.Errorf("expected 1 to %d accounts, not %d", MaxAccounts, len(config.IDs))
	}
	for _, id := range config.IDs {
		if !IDPattern().MatchString(id) {
			return nil, fmt.Errorf("account ID %q: expected 12 digits", id)
		}
		if _, twice := s.Account(id); twice {
			return nil, fmt.Errorf("account %s is listed twice", id)
		}
		sealer, err := newSealer()
		if err != nil {
			return nil, err
		}
		s.list = append(s.list, &Account{ID: id, Region: config.Region, Partition: config.Partition, all: s, sealer: sealer})
	}
	if config.StateFile == "" {
		s.begin(s.empty())
		return s, nil
	}
	var text []byte
	var err error
	if s.store, text, err = openStore(config.StateFile); err != nil {
		return nil, err
	}
	loaded := s.empty()
	if text != nil {
		if loaded, err = s.decode(text); err != nil {
			err = fmt.Errorf("%w; state file %s is unchanged: replace it with a valid one, or move it away to start empty", err, s.store.path)
			return nil, errors.Join(err, s.store.close())
		}
	}
	// Write it now, to fail early if it cannot be written.
	if err := s.replace(loaded); err != nil {
		return nil, errors.Join(err, s.store.close())
	}
	return s, nil
}

// All returns all accounts, the default first.
func (s *Accounts) All() []*Account { return s.list }

// Default returns the first account.
func (s *Accounts) Default() *Account { return s.list[0] }

// Account returns the account with an ID.
func (s *Accounts) Account(id string) (*Account, bool) {
	for _, a := range s.list {
		if a.ID == id {
			return a, true
		}
	}
	return nil, false
}

// Close saves pending changes and releases the state file; without one it does
// nothing. After Close, saving fails.
func (s *Accounts) Close() (err error) {
	s.closing.Do(func() {
		if s.store == nil {
			return
		}
		// Reads leave changes too, such as a key's last use: they wait for the next
		// change or for Close.
		err = errors.Join(s.Default().Update(func(*Tx) error { return nil }), s.store.close())
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
