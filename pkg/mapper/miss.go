package mapper

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// Miss says why a rule does not map a principal.
type Miss string

// The rule is for another principal.
const (
	MissPartition     Miss = "Partition"     // another partition
	MissAccount       Miss = "Account"       // another account
	MissKind          Miss = "Kind"          // a user instead of a role, or the reverse
	MissName          Miss = "Name"          // another name
	MissUserPath      Miss = "UserPath"      // a user of the same name with another path
	MissPermissionSet Miss = "PermissionSet" // another permission set, or not the role of one
	MissUserID        Miss = "UserID"        // another unique ID, but the same ARN or none: for example, the role was created again
	MissOtherARN      Miss = "OtherARN"      // the same unique ID, but another ARN
)

// The rule is meant for the principal, but has no effect.
const (
	MissRolePath    Miss = "RolePath"    // its role has a path
	MissAssumedRole Miss = "AssumedRole" // its ARN is that of an assumed role's session
	MissWhiteSpace  Miss = "WhiteSpace"  // its ARN contains white space
	MissSSOOff      Miss = "SSOOff"      // entries with sso are turned off
	MissOverridden  Miss = "Overridden"  // another entry is for the same principal
	MissOutranked   Miss = "Outranked"   // an exact ARN comes before its permission set
)

// The rule matches the principal, but results in no user.
const (
	MissDenied    Miss = "Denied"    // for example, the session name is missing
	MissReserved  Miss = "Reserved"  // its username starts with a reserved prefix
	MissDenyFile  Miss = "DenyFile"  // the deny file has the principal, so no mapping is tried
	MissUndecided Miss = "Undecided" // for example, EC2 does not respond
	MissNotSynced Miss = "NotSynced" // the source has not been read yet
)

func notSynced() Tried { return Tried{Miss: MissNotSynced, Reason: ErrNotSynced.Error()} }

// A subject is a principal, either the caller or that of an entry. All but its name is
// in lower case.
type subject struct{ partition, account, kind, name string }

func subjectOf(principal identity.Principal) subject { return parseSubject(principal.CanonicalARN) }

func parseSubject(arn string) subject {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return subject{name: arn}
	}
	kind, name, _ := strings.Cut(parts[5], "/")
	return subject{lower(parts[1]), parts[4], lower(kind), name}
}

// baseName returns the name without its path.
func (s subject) baseName() string { return s.name[strings.LastIndexByte(s.name, '/')+1:] }

func (s subject) String() string { return strings.TrimSpace(s.kind + " " + s.name) }

// subject returns the ARN that an entry is for.
func (e *Entry) subject() string {
	if e.SSO == nil {
		return cmp.Or(e.ARN, e.UserID)
	}
	k := e.SSO.key()
	return fmt.Sprintf("arn:%s:iam::%s:role/AWSReservedSSO_%s_<16 hexadecimal digits>", k.partition, k.account, e.SSO.PermissionSet)
}

// miss returns why an entry of the table does not map a principal.
func (t *Table) miss(e *Entry, principal identity.Principal, who subject) (Miss, string) {
	if e.UserID != "" && e.Inert == "" {
		if miss, reason := e.missByUserID(principal, who); miss != "" {
			return miss, reason
		}
	}
	its := parseSubject(e.subject())
	switch {
	case its.partition != who.partition:
		return MissPartition, fmt.Sprintf("it is for partition %s, but the principal is in partition %s", its.partition, who.partition)
	case its.account != who.account:
		return otherAccount(its.account, who.account)
	case its.kind != who.kind:
		return MissKind, fmt.Sprintf("it is for %s, but the principal is %s", its, who)
	case e.SSO != nil:
		set, ok := permissionSet(lower("arn:::::role/" + who.name))
		if !ok {
			return MissPermissionSet, fmt.Sprintf("%s is not a role that IAM Identity Center created: AWSReservedSSO_<permission set>_<16 hexadecimal digits>", who)
		}
		if set != lower(e.SSO.PermissionSet) {
			return MissPermissionSet, fmt.Sprintf("it is for permission set %s, but the principal is %s", e.SSO.PermissionSet, who)
		}
	case lower(its.baseName()) != lower(who.baseName()):
		return MissName, fmt.Sprintf("it is for %s, but the principal is %s", its, who)
	case its.kind != "role" && lower(its.name) != lower(who.name):
		return MissUserPath, fmt.Sprintf("it is for %s, but the principal is %s: the path is part of the ARN", its, who)
	}
	return t.withoutEffect(e)
}

// missByUserID returns why an entry with a unique ID does not name a principal; empty if
// it does, or if its ARN is that of another principal.
func (e *Entry) missByUserID(principal identity.Principal, who subject) (Miss, string) {
	switch isNamed := e.names(principal); {
	case e.UserID == principal.PrincipalID && !isNamed:
		return MissOtherARN, fmt.Sprintf("it is for the principal's unique ID %s, but its ARN is %s", e.UserID, e.ARN)
	case e.UserID == principal.PrincipalID || !isNamed:
		return "", ""
	case principal.PrincipalID == "":
		return MissUserID, fmt.Sprintf("it is for unique ID %s, and the principal's is unknown", e.UserID)
	case e.ARN == "":
		return MissUserID, fmt.Sprintf("it is for unique ID %s, but the principal's is %s", e.UserID, principal.PrincipalID)
	default:
		return MissUserID, fmt.Sprintf("it is for unique ID %s, but the principal's is %s: the %s was deleted and created again, which gave it a new ID; write the new ID into the entry",
			e.UserID, principal.PrincipalID, who.kind)
	}
}

// withoutEffect returns why an entry for a principal has no effect.
func (t *Table) withoutEffect(e *Entry) (Miss, string) {
	name, hasPath := withoutPath(e.ARN)
	winner := t.winner(e)
	switch {
	case e.Inert == MissAssumedRole:
		return e.Inert, "its ARN is that of a session of the role and matches nobody, as on EKS: write " + name
	case e.Inert == MissWhiteSpace:
		return e.Inert, "its ARN contains white space and matches nobody: write " + name
	case e.Inert == MissSSOOff:
		return e.Inert, "entries with sso are turned off"
	case e.Inert != "":
		return e.Inert, "it matches nobody"
	case hasPath && t.paths == RolePathsIgnore:
		return MissRolePath, "its role has a path, which AWS never returns, so it matches nobody, as on EKS: write " + name
	case winner == nil:
		return MissRolePath, "another entry is for a role of the same name, and AWS does not return the paths that distinguish them"
	case winner != e:
		return overriddenBy(winner.Rule)
	default:
		return MissOutranked, "an entry for the exact ARN comes before its permission set"
	}
}

func otherAccount(its, principal string) (Miss, string) {
	return MissAccount, fmt.Sprintf("it is for account %s, but the principal is in account %s", its, principal)
}

func overriddenBy(rule Rule) (Miss, string) {
	return MissOverridden, rule.place() + " is for the same principal and overrides it"
}
