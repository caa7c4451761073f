package mapper

import "fmt"

// Entry maps one IAM principal, or the roles of one permission set.
type Entry struct {
	// ARN is canonical, in upper or lower case. Empty if SSO is set, and possibly if
	// UserID is.
	ARN string
	// UserID is the unique ID of the principal, such as AROAEXAMPLE. If it is set, the
	// entry matches the principal with that ID, which must also have the ARN if there is
	// one: a role that is deleted and created again has another ID. The path of the
	// role in the ARN has no effect then.
	UserID string
	// SSO matches the roles that IAM Identity Center creates for a permission set.
	SSO      *SSO
	Username Template
	// Groups may be shared between entries: read only.
	Groups []Template
	Rule   Rule
	// Column is the column of the entry in the line of its rule; 0 if it is unknown.
	Column int
	// AssumedRole is set if the entry has the ARN of a session and matches its whole
	// role. It never wins over an entry for the role itself.
	AssumedRole bool
	// Inert says why the entry matches nobody, although it names a principal; empty if
	// the entry applies. A trace shows it.
	Inert Miss
}

// SSO names a permission set in an account.
type SSO struct {
	PermissionSet, AccountID string
	// Partition is the partition of the account. Empty means aws.
	Partition string
}

// Account maps every principal of an account to its canonical ARN, without groups.
type Account struct {
	ID     string
	Rule   Rule
	Column int // as that of an entry
}

// RolePaths is the treatment of a path in an entry's role ARN. STS never returns the
// path, so on EKS such an entry matches nobody.
type RolePaths int

const (
	// RolePathsIgnore leaves an entry with a path without effect, as on EKS.
	RolePathsIgnore RolePaths = iota
	// RolePathsStrip matches the role by its name, which is unique in an account.
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
	return 0, fmt.Errorf("unknown value %q (supported: ignore, strip)", s)
}
