package mapper

import (
	"context"
	"errors"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// Entries returns a mapper that uses the entries of the current table, but not its
// accounts. Current returns that table, or nil if the source has not been read yet.
// Names looks up EC2 instances; if it is nil, a mapping that needs it cannot be
// resolved.
func Entries(current func() *Table, names InstanceNames) Mapper {
	return Func(func(ctx context.Context, principal identity.Principal, trace *Trace) (Match, bool, error) {
		table := current()
		if table == nil {
			trace.add(notSynced())
			return Match{}, false, ErrNotSynced
		}
		entry := table.lookup(principal)
		if trace != nil {
			trace.entries(table, principal, entry)
		}
		if entry == nil {
			return Match{}, false, nil
		}
		match, err := entry.render(ctx, principal, names)
		if err != nil {
			trace.refuse(entry.Rule, missOf(err), err)
			return Match{}, false, err
		}
		return match, true, nil
	})
}

// Accounts returns a mapper that uses only the accounts of the current table.
func Accounts(current func() *Table) Mapper {
	return Func(func(_ context.Context, principal identity.Principal, trace *Trace) (Match, bool, error) {
		table := current()
		if table == nil {
			trace.add(notSynced())
			return Match{}, false, ErrNotSynced
		}
		account := table.account(principal)
		if trace != nil {
			trace.accounts(table, principal, account)
		}
		if account == nil {
			return Match{}, false, nil
		}
		return Match{Username: principal.CanonicalARN, Rule: account.Rule}, true, nil
	})
}

func (e *Entry) render(ctx context.Context, principal identity.Principal, names InstanceNames) (Match, error) {
	match := Match{Rule: e.Rule, Groups: make([]string, 0, len(e.Groups))}
	var err error
	if match.Username, err = e.Username.expand(ctx, principal, names); err != nil {
		return Match{}, e.blame(err)
	}
	for _, group := range e.Groups {
		name, err := group.expand(ctx, principal, names)
		if err != nil {
			return Match{}, e.blame(err)
		}
		match.Groups = append(match.Groups, name)
	}
	return match, nil
}

func missOf(err error) Miss {
	if _, denied := errors.AsType[*DeniedError](err); denied {
		return MissDenied
	}
	return MissUndecided
}

// blame adds the entry's rule to a denial.
func (e *Entry) blame(err error) error {
	if denied, ok := errors.AsType[*DeniedError](err); ok {
		return &DeniedError{Reason: denied.Reason, Rule: e.Rule}
	}
	return err
}
