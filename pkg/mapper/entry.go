package mapper

import "fmt"

// Entry maps one IAM principal, or the roles of one permission set.
type Entry struct {
	// ARN is canonical, in any case. Empty if SSO is set.
	ARN string
	// SSO matches the roles that IAM Identity Center makes of a permission set.
	SSO      *SSO
	Username Template
	// Groups may be shared between entries: read only.
	Groups []Template
	Rule   Rule
	// AssumedRole says that the entry was written with the ARN of a session and
	// is taken for its role. It never wins over an entry for the role itself.
	AssumedRole bool
	// Inert says why the entry matches nobody, though it names whom it is meant
	// for; empty if it acts. A trace shows it.
	Inert Miss
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

// RolePaths says what a path in an entry's role ARN means. STS never returns
// the path, so as on EKS such an entry matches nobody.
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
