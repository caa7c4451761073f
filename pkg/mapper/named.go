package mapper

import "strings"

// NamesAccount reports whether an entry or an account of the table names an AWS
// account, with or without effect: its principals are expected at this cluster.
func (t *Table) NamesAccount(id string) bool {
	_, ok := t.named[id]
	return ok
}

// namedAccounts returns the AWS accounts that entries and accounts name.
func namedAccounts(entries []Entry, accounts []Account) map[string]struct{} {
	named := map[string]struct{}{}
	for i := range entries {
		if id := entries[i].account(); id != "" {
			named[id] = struct{}{}
		}
	}
	for i := range accounts {
		named[accounts[i].ID] = struct{}{}
	}
	return named
}

// account returns the AWS account that the entry names; empty if it names none.
func (e *Entry) account() string {
	if e.SSO != nil {
		return e.SSO.AccountID
	}
	arn := e.ARN
	for range 4 { // arn:partition:iam::
		_, arn, _ = strings.Cut(arn, ":")
	}
	id, _, _ := strings.Cut(arn, ":")
	return id
}
