package mapper

import (
	"iter"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// Table is an immutable set of mappings, indexed for lookup. It alone decides which
// entries are for the same principal, and which of them applies.
type Table struct {
	entries  []Entry
	accounts []Account
	paths    RolePaths

	// The entries and accounts that apply, as indexes of the slices.
	byUserID  map[string]int32
	exact     map[string]int32
	sso       map[ssoKey]int32
	byAccount map[string]int32
	// named are the AWS accounts that entries and accounts name.
	named map[string]struct{}
}

// NewTable returns a table, which keeps the slices. Of two entries for the same
// principal the later one applies, but an entry for a role itself comes before one
// with a path to strip, and that before one for an assumed role.
func NewTable(entries []Entry, accounts []Account, paths RolePaths) *Table {
	t := &Table{
		entries: entries, accounts: accounts, paths: paths,
		byUserID: map[string]int32{}, exact: make(map[string]int32, len(entries)), sso: map[ssoKey]int32{}, byAccount: make(map[string]int32, len(accounts)),
		named: namedAccounts(entries, accounts),
	}
	ambiguous := map[string]bool{}
	for i := range entries {
		t.claim(int32(i), ambiguous)
	}
	// Which of the roles exists is unknown, so none of their entries applies.
	for arn := range ambiguous {
		if t.rank(&entries[t.exact[arn]]) == byName {
			delete(t.exact, arn)
		}
	}
	for i := range accounts {
		t.byAccount[accounts[i].ID] = int32(i)
	}
	return t
}

// A rank says how an entry names its principal. The entry of the higher rank applies.
type rank int

const (
	inert rank = iota
	assumed
	byName // by the role's name, after its path is stripped
	exact
)

func (t *Table) rank(e *Entry) rank {
	if e.Inert != "" {
		return inert
	}
	_, hasPath := withoutPath(lower(e.ARN))
	switch {
	case e.UserID != "":
		return exact
	case hasPath && t.paths != RolePathsStrip:
		return inert
	case e.AssumedRole:
		return assumed
	case hasPath:
		return byName
	default:
		return exact
	}
}

// claim makes an entry apply unless one of a higher rank has its key. It adds the key
// to ambiguous if two entries differ only in the path of their role.
func (t *Table) claim(i int32, ambiguous map[string]bool) {
	entry := &t.entries[i]
	mine := t.rank(entry)
	if mine == inert {
		return
	}
	k := entry.key()
	switch {
	case entry.UserID != "":
		t.byUserID[k.userID] = i
		return
	case entry.SSO != nil:
		t.sso[k.sso] = i
		return
	}
	before, taken := t.exact[k.arn]
	if !taken {
		t.exact[k.arn] = i
		return
	}
	other := &t.entries[before]
	theirs := t.rank(other)
	if mine == byName && theirs == byName && lower(entry.ARN) != lower(other.ARN) {
		ambiguous[k.arn] = true
	}
	if mine >= theirs {
		t.exact[k.arn] = i
	}
}

// Len returns the number of entries and accounts that apply.
func (t *Table) Len() int { return len(t.byUserID) + len(t.exact) + len(t.sso) + len(t.byAccount) }

// winner returns the entry that applies to the principal of an entry; nil if there is
// none.
func (t *Table) winner(e *Entry) *Entry {
	k := e.key()
	i, ok := t.exact[k.arn]
	switch {
	case e.UserID != "":
		i, ok = t.byUserID[k.userID]
	case e.SSO != nil:
		i, ok = t.sso[k.sso]
	}
	if !ok {
		return nil
	}
	return &t.entries[i]
}

// Entries returns all entries, in their order, and reports of each whether it applies.
func (t *Table) Entries() iter.Seq2[*Entry, bool] {
	return func(yield func(entry *Entry, applies bool) bool) {
		for i := range t.entries {
			entry := &t.entries[i]
			if !yield(entry, t.rank(entry) != inert && t.winner(entry) == entry) {
				return
			}
		}
	}
}

// Accounts returns all accounts, in their order, and reports of each whether it
// applies.
func (t *Table) Accounts() iter.Seq2[*Account, bool] {
	return func(yield func(account *Account, applies bool) bool) {
		for i := range t.accounts {
			if account := &t.accounts[i]; !yield(account, t.byAccount[account.ID] == int32(i)) {
				return
			}
		}
	}
}

// Overridden returns the entries that have no effect because of other entries, each
// with the entry that applies instead. That is nil if entries differ only in the path
// of their role, so that none of them applies.
func (t *Table) Overridden() iter.Seq2[*Entry, *Entry] {
	return func(yield func(entry, winner *Entry) bool) {
		for i := range t.entries {
			entry := &t.entries[i]
			if t.rank(entry) == inert {
				continue
			}
			if winner := t.winner(entry); winner != entry && !yield(entry, winner) {
				return
			}
		}
	}
}

// OverriddenAccounts returns the accounts that are listed again later, each with the
// one that applies instead.
func (t *Table) OverriddenAccounts() iter.Seq2[*Account, *Account] {
	return func(yield func(account, winner *Account) bool) {
		for i := range t.accounts {
			account := &t.accounts[i]
			if winner := &t.accounts[t.byAccount[account.ID]]; winner != account && !yield(account, winner) {
				return
			}
		}
	}
}

// lookup returns the entry for a principal: the unique ID before the exact ARN, and that
// before a permission set.
func (t *Table) lookup(principal identity.Principal) *Entry {
	if i, ok := t.byUserID[principal.PrincipalID]; ok && t.entries[i].names(principal) {
		return &t.entries[i]
	}
	arn := lower(principal.CanonicalARN)
	if i, ok := t.exact[arn]; ok {
		return &t.entries[i]
	}
	if len(t.sso) == 0 {
		return nil
	}
	set, ok := ssoKeyOf(principal, arn)
	if !ok {
		return nil
	}
	if i, ok := t.sso[set]; ok {
		return &t.entries[i]
	}
	return nil
}

// account returns the account entry for a principal; nil if there is none.
func (t *Table) account(principal identity.Principal) *Account {
	if i, ok := t.byAccount[principal.AccountID]; ok {
		return &t.accounts[i]
	}
	return nil
}
