package mapper

import "iter"

// Applying returns the entries that apply, in order: those that match a principal, and
// that no other entry overrides.
func (t *Table) Applying() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for i := range t.entries {
			entry := &t.entries[i]
			if t.winner(entry) == entry && !yield(entry) {
				return
			}
		}
	}
}

// ApplyingAccounts returns the accounts that apply, in order.
func (t *Table) ApplyingAccounts() iter.Seq[*Account] {
	return func(yield func(*Account) bool) {
		for i := range t.accounts {
			account := &t.accounts[i]
			if t.byAccount[account.ID] == int32(i) && !yield(account) {
				return
			}
		}
	}
}

// MatchedARN returns the canonical ARN that an entry matches. For a permission set, its
// last 16 characters are any hexadecimal digits.
func (e *Entry) MatchedARN() string {
	if e.SSO != nil {
		return e.subject()
	}
	arn, _ := withoutPath(e.ARN)
	return arn
}
