package mapper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// Entry maps one IAM principal, or the roles of one permission set.
type Entry struct {
	// ARN is canonical, in any case. Empty if SSO is set.
	ARN string
	// SSO matches the roles that IAM Identity Center makes of a permission set.
	SSO      *SSO
	Username Template
	Groups   []Template
	Rule     Rule
}

// SSO names a permission set in an account.
type SSO struct {
	PermissionSet, AccountID string
	// Partition of the account. Empty means aws.
	Partition string
}

// Account maps everybody in an account to their canonical ARN, in no group.
type Account struct {
	ID   string
	Rule Rule
}

// RolePaths says what a path in an entry's role ARN means. STS never answers
// the path, so that as on EKS such an entry matches nobody.
type RolePaths int

const (
	// RolePathsIgnore leaves an entry with a path without effect, as on EKS.
	RolePathsIgnore RolePaths = iota
	// RolePathsStrip matches it by the role's name, which is unique in an account.
	RolePathsStrip
)

// ParseRolePaths parses a flag's value, "ignore" or "strip".
func ParseRolePaths(s string) (RolePaths, error) {
	switch s {
	case "ignore":
		return RolePathsIgnore, nil
	case "strip":
		return RolePathsStrip, nil
	}
	return 0, fmt.Errorf("%q is neither ignore nor strip", s)
}

// Table is an immutable set of mappings, made for looking up. Of two entries
// for the same principal the later one wins.
type Table struct {
	exact    map[string]*Entry
	sso      map[ssoKey]*Entry
	accounts map[string]*Account
	inert    []Entry
}

type ssoKey struct{ partition, account, permissionSet string }

// NewTable makes a table.
func NewTable(entries []Entry, accounts []Account, paths RolePaths) *Table {
	t := &Table{exact: map[string]*Entry{}, sso: map[ssoKey]*Entry{}, accounts: map[string]*Account{}}
	byName := map[string][]*Entry{}
	for i := range entries {
		entry := &entries[i]
		if entry.SSO != nil {
			t.sso[entry.SSO.key()] = entry
			continue
		}
		arn := lower(entry.ARN)
		if name, has := withoutPath(arn); has {
			byName[name] = append(byName[name], entry)
			continue
		}
		t.exact[arn] = entry
	}
	t.addByName(byName, paths)
	for i := range accounts {
		t.accounts[accounts[i].ID] = &accounts[i]
	}
	return t
}

// addByName adds the entries with a role path by their roles' names, if paths are
// to be stripped. One without a path wins; of several that differ only in path it
// is not known which role there is, so none acts.
func (t *Table) addByName(byName map[string][]*Entry, paths RolePaths) {
	for name, entries := range byName {
		last := entries[len(entries)-1]
		_, shadowed := t.exact[name]
		ambiguous := false
		for _, entry := range entries {
			ambiguous = ambiguous || lower(entry.ARN) != lower(last.ARN)
		}
		if paths == RolePathsStrip && !shadowed && !ambiguous {
			t.exact[name] = last
			continue
		}
		for _, entry := range entries {
			t.inert = append(t.inert, *entry)
		}
	}
}

// Len is how many entries and accounts are in force.
func (t *Table) Len() int { return len(t.exact) + len(t.sso) + len(t.accounts) }

// Inert are the entries that match nobody, because of their role path.
func (t *Table) Inert() []Entry { return t.inert }

// roleOf is what stands behind role/ in a role's ARN. It is not enough to look
// for role/ anywhere: the path of a user may hold it, behind a colon.
func roleOf(arn string) (string, bool) {
	resource := arn
	for range 5 { // arn:partition:iam::account:
		_, resource, _ = strings.Cut(resource, ":")
	}
	return strings.CutPrefix(resource, "role/")
}

// withoutPath answers a role's ARN without its path, if it has one.
func withoutPath(arn string) (string, bool) {
	role, ok := roleOf(arn)
	i := strings.LastIndexByte(role, '/')
	if !ok || i < 0 {
		return arn, false
	}
	return strings.TrimSuffix(arn, role) + role[i+1:], true
}

func (s SSO) key() ssoKey {
	partition := s.Partition
	if partition == "" {
		partition = "aws"
	}
	return ssoKey{partition, s.AccountID, lower(s.PermissionSet)}
}

// entry finds the entry for an identity: the exact ARN before a permission set.
func (t *Table) entry(principal identity.Principal) *Entry {
	arn := lower(principal.CanonicalARN)
	if entry, ok := t.exact[arn]; ok {
		return entry
	}
	if len(t.sso) == 0 {
		return nil
	}
	set, ok := permissionSet(arn)
	if !ok {
		return nil
	}
	return t.sso[ssoKey{principal.Partition, principal.AccountID, set}]
}

// permissionSet answers the permission set that a role was made of by IAM
// Identity Center: AWSReservedSSO_<permission set>_<16 hexadecimal digits>.
// All 16 are wanted: else the set Admin would match roles of Admin_ReadOnly.
func permissionSet(lowerARN string) (string, bool) {
	role, _ := roleOf(lowerARN)
	name, ok := strings.CutPrefix(role, "awsreservedsso_")
	i := strings.LastIndexByte(name, '_')
	if !ok || i < 1 || len(name)-i-1 != 16 || !isLowerHex(name[i+1:]) {
		return "", false
	}
	return name[:i], true
}

// lower puts ASCII letters in lower case. Others are none of an ARN's: folding
// them would make the Kelvin sign match a k.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			return strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, s)
		}
	}
	return s
}

// Entries maps by the entries of the table in force, without its accounts.
// Current returns that table, or nil if the source was not read yet. Names looks
// EC2 instances up; if it is nil, a mapping that needs it cannot be resolved.
func Entries(current func() *Table, names InstanceNames) Mapper {
	return Func(func(ctx context.Context, principal identity.Principal, trace *Trace) (Match, bool, error) {
		table := current()
		if table == nil {
			return Match{}, false, ErrNotSynced
		}
		entry := table.entry(principal)
		if entry == nil {
			return Match{}, false, nil
		}
		match, err := entry.render(ctx, principal, names)
		return match, err == nil, err
	})
}

// Accounts maps by the accounts of the table in force alone.
func Accounts(current func() *Table) Mapper {
	return Func(func(_ context.Context, principal identity.Principal, trace *Trace) (Match, bool, error) {
		table := current()
		if table == nil {
			return Match{}, false, ErrNotSynced
		}
		account, ok := table.accounts[principal.AccountID]
		if !ok {
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

// blame names the rule in a denial.
func (e *Entry) blame(err error) error {
	if denied, ok := errors.AsType[*DeniedError](err); ok {
		return &DeniedError{Reason: denied.Reason, Rule: e.Rule}
	}
	return err
}
