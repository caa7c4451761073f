package mapper

import "github.com/kube-iam/authenticator/pkg/identity"

// Trace collects the rules that a mapper tried, in order, and why each did not match.
// It explains the lookup and never changes its result. A nil Trace collects nothing
// and costs nothing.
type Trace struct {
	Tried []Tried
}

// Tried is one rule that a mapper tried.
type Tried struct {
	// Rule is zero if the source has not been read yet.
	Rule Rule
	// For is what the rule is for: an ARN, a permission set or an account.
	For string
	// Entry is the entry of the rule, read only; nil for an account and for a source
	// that has not been read yet.
	Entry   *Entry
	Matched bool
	// Miss is why the rule does not map the principal; empty if it does.
	Miss Miss
	// Reason is Miss as a sentence.
	Reason string
}

func (t *Trace) add(tried Tried) {
	if t != nil {
		t.Tried = append(t.Tried, tried)
	}
}

// refuse changes the last match of a rule into a miss.
func (t *Trace) refuse(rule Rule, miss Miss, err error) {
	if t == nil {
		return
	}
	for i := len(t.Tried) - 1; i >= 0; i-- {
		if tried := &t.Tried[i]; tried.Matched && tried.Rule == rule {
			tried.Matched, tried.Miss, tried.Reason = false, miss, err.Error()
			return
		}
	}
}

// entries adds the entries of a table in the order of the lookup: those with ARNs
// before permission sets. Decided is the entry that the lookup found.
func (t *Trace) entries(table *Table, principal identity.Principal, decided *Entry) {
	who := subjectOf(principal)
	for _, wantSSO := range []bool{false, true} {
		for i := range table.entries {
			entry := &table.entries[i]
			if (entry.SSO != nil) != wantSSO {
				continue
			}
			tried := Tried{Rule: entry.Rule, For: entry.subject(), Entry: entry, Matched: entry == decided}
			if !tried.Matched {
				tried.Miss, tried.Reason = table.miss(entry, principal, who)
			}
			t.add(tried)
		}
	}
}

// accounts adds the accounts of a table. Decided is the account that the lookup found.
func (t *Trace) accounts(table *Table, principal identity.Principal, decided *Account) {
	for i := range table.accounts {
		account := &table.accounts[i]
		tried := Tried{Rule: account.Rule, For: account.ID, Matched: account == decided}
		switch {
		case tried.Matched:
		case account.ID == principal.AccountID:
			tried.Miss, tried.Reason = overriddenBy(decided.Rule)
		default:
			tried.Miss, tried.Reason = otherAccount(account.ID, principal.AccountID)
		}
		t.add(tried)
	}
}
