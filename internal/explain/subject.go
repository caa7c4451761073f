package explain

import (
	"fmt"
	"path"
	"strings"
	"unicode"

	"github.com/kube-iam/authenticator/internal/spelling"
)

// Kind is the code of a difference between a rule and the caller.
type Kind string

// The kinds of near misses. Codes are stable.
const (
	NoEffect  Kind = "NoEffect"  // the rule names the caller, but has no effect: a role's path, for example
	UserID    Kind = "UserID"    // the rule names the caller, but has another unique ID: for example, the role was created again
	Dropped   Kind = "Dropped"   // the entry names the caller, but is ignored for a mistake
	Spelling  Kind = "Spelling"  // the name is a letter or two off
	OtherKind Kind = "Kind"      // a user instead of a role, or the reverse
	Account   Kind = "Account"   // another account
	Partition Kind = "Partition" // another partition
	UserPath  Kind = "UserPath"  // another path of a user
	Group     Kind = "Group"     // an IAM group
	Wildcard  Kind = "Wildcard"  // a pattern that would match, if patterns were supported
	SSOName   Kind = "SSOName"   // a role of IAM Identity Center, named by its permission set or with another suffix
)

// A subject is what an ARN or an account ID names. It is read leniently, since ignored
// entries are compared too.
type subject struct{ partition, account, kind, path, name string }

// wholeAccount is the kind of an account ID.
const wholeAccount = "account"

func subjectOf(arn string) subject {
	// arn:partition:service:region:account:resource
	var parts [5]string
	resource := readable(arn)
	if resource != "" && strings.Trim(resource, "0123456789-") == "" {
		return subject{account: resource, kind: wholeAccount}
	}
	for i := range parts {
		var ok bool
		if parts[i], resource, ok = strings.Cut(resource, ":"); !ok {
			return subject{}
		}
	}
	s := subject{partition: strings.ToLower(parts[1]), account: parts[4], kind: resource}
	if i := strings.IndexAny(resource, "/:"); i >= 0 {
		s.kind, s.name = resource[:i], resource[i+1:]
	}
	switch s.kind = strings.ToLower(s.kind); s.kind {
	case "assumed-role":
		s.kind = "role"
		if i := strings.LastIndexByte(s.name, '/'); i >= 0 {
			s.name = s.name[:i]
		}
	case "instance-profile":
		s.kind = "role"
	}
	if i := strings.LastIndexByte(s.name, '/'); i >= 0 {
		s.path, s.name = s.name[:i+1], s.name[i+1:]
	}
	return s
}

// readable returns an ARN without white space, quotes and invisible characters.
func readable(arn string) string {
	odd := func(r rune) bool {
		return r <= ' ' || r == '"' || r == '\'' || r > '~' && (unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("“”‘’", r))
	}
	if !strings.ContainsFunc(arn, odd) {
		return arn // the usual case
	}
	return strings.Map(func(r rune) rune {
		if odd(r) {
			return -1
		}
		return r
	}, arn)
}

// A difference is one between a rule and the caller. The cost says how unlikely it is
// that the rule is meant for the caller in spite of it.
type difference struct {
	kind Kind
	cost int
	text string
	// another is set if the rule may well be for an identity that exists: then the
	// caller must not get what the rule grants.
	another bool
}

// maxCost is the maximum cost of the differences of a near miss.
const maxCost = 3

// differences returns the differences between a rule's subject and the caller's, and
// reports whether the rule may be meant for the caller.
func differences(its, who subject) (found []difference, near bool) {
	if its.account == "" && its.name == "" || who.kind == "" {
		return nil, false
	}
	if its.kind == wholeAccount {
		return accountDifferences(its, who)
	}
	cost := 0
	add := func(kind Kind, price int, format string, args ...any) {
		cost += price
		another := kind == Group || kind == OtherKind || kind == Partition || kind == UserPath
		found = append(found, difference{kind, price, fmt.Sprintf(format, args...), another})
	}
	if its.kind == "group" {
		if who.kind != "user" || its.account != who.account {
			return nil, false
		}
		add(Group, 3, "it is for an IAM group, but AWS does not return the groups of a user")
		return found, true
	}
	name, ok := nameDifference(its.name, who.name)
	if !ok {
		return nil, false
	}
	if name.kind == Spelling && its.account != who.account {
		return nil, false // a similar name in another account is somebody else's
	}
	if name.cost > 0 {
		cost += name.cost
		found = append(found, name)
	}
	if its.kind != who.kind {
		add(OtherKind, 2, "it is for a %s, not for a %s", its.kind, who.kind)
	}
	if its.account != who.account {
		if typo := accountTypo(its.account, who.account); typo != "" {
			add(Account, 1, "%s", typo)
		} else {
			add(Account, 2, "it is for account %s, not for %s", its.account, who.account)
			found[len(found)-1].another = true
		}
	}
	if its.partition != who.partition {
		add(Partition, 2, "it is for partition %s, not for %s", its.partition, who.partition)
	}
	switch {
	case strings.EqualFold(its.path, who.path):
	case who.kind == "role":
		add(NoEffect, 1, "its role has the path %s, which AWS never returns", its.path)
	default:
		add(UserPath, 1, "its path is /%s, not /%s", its.path, who.path)
	}
	return found, cost <= maxCost
}

// accountTypo describes the difference of two account IDs that are nearly the same, or
// returns "".
func accountTypo(account, who string) string {
	if _, ok := spelling.Distance(2, account, who); ok {
		return fmt.Sprintf("its account %s is a digit or two off: it should be %s", account, who)
	}
	return ""
}

// accountDifferences returns the difference between an entry of mapAccounts and the
// caller's account.
func accountDifferences(its, who subject) (found []difference, near bool) {
	if its.account == who.account {
		return nil, true
	}
	typo := accountTypo(its.account, who.account)
	return []difference{{Account, maxCost, typo, false}}, typo != ""
}

// nameDifference compares two names, and reports whether they are near.
func nameDifference(its, who string) (difference, bool) {
	if strings.EqualFold(its, who) {
		return difference{}, true
	}
	if matchesPattern(its, who) {
		return difference{Wildcard, 1, fmt.Sprintf("%s has a wildcard, but ARNs match as a whole", its), true}, true
	}
	itsSet, itsSSO := permissionSet(its)
	whoSet, whoSSO := permissionSet(who)
	switch same := strings.EqualFold(itsSet, whoSet); {
	case isOfSet(its, who):
		return difference{}, true
	case itsSSO && whoSSO && same:
		return difference{SSOName, 1, "its role's name has another suffix: IAM Identity Center changes the suffix when it creates the role again", false}, true
	case whoSSO && isPermissionSetRole(its, whoSet):
		return difference{SSOName, 1, fmt.Sprintf("its role's name %s lacks the suffix: write %s, or an entry with sso for permission set %s", its, who, whoSet), false}, true
	case itsSSO != whoSSO && same:
		return difference{SSOName, 2, fmt.Sprintf("it is for %s, not for %s: IAM Identity Center names the role of a permission set AWSReservedSSO_<permission set>_<suffix>", its, who), false}, true
	}
	if itsSSO && whoSSO {
		its, who = itsSet, whoSet
	}
	most := min(len(who)/3, 2)
	if len(who) < 8 {
		most = min(most, 1)
	}
	edits, ok := spelling.Distance(most, its, who)
	if !ok || edits == 0 {
		return difference{}, false
	}
	letters := "one letter"
	if edits == 2 {
		letters = "two letters"
	}
	return difference{Spelling, edits, fmt.Sprintf("its name is %s off: %s instead of %s", letters, its, who), false}, true
}

// matchesPattern reports whether a name with wildcards would match another.
func matchesPattern(pattern, name string) bool {
	if !strings.ContainsAny(pattern, "*?") {
		return false
	}
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name))
	return ok && err == nil
}

const ssoPrefix = "AWSReservedSSO_"

// isPermissionSetRole reports whether a name is that of a permission set's role without
// its suffix.
func isPermissionSetRole(name, set string) bool { return strings.EqualFold(name, ssoPrefix+set) }

// permissionSet returns the permission set in the name of a role of IAM Identity
// Center, with any suffix, and reports whether the name is one. Other names are
// returned unchanged.
func permissionSet(name string) (string, bool) {
	if len(name) < len(ssoPrefix) || !strings.EqualFold(name[:len(ssoPrefix)], ssoPrefix) {
		return name, false
	}
	set := name[len(ssoPrefix):]
	i := strings.LastIndexByte(set, '_')
	if i < 1 {
		return name, false
	}
	return set[:i], true
}

// isOfSet reports whether a name is that of an entry with sso, which has any suffix, and
// another name that of the role of its permission set.
func isOfSet(its, who string) bool {
	set, ok := strings.CutSuffix(its, anySuffix)
	whoSet, whoSSO := permissionSet(who)
	return ok && whoSSO && isPermissionSetRole(set, whoSet)
}

// anySuffix ends the name that an entry with sso matches, as readable returns it.
const anySuffix = "_<16hexadecimaldigits>"

// sameAs reports whether a rule's subject is the caller's, apart from a role's path.
func (s subject) sameAs(who subject) bool {
	sameName := strings.EqualFold(s.name, who.name) || isOfSet(s.name, who.name)
	return s.partition == who.partition && s.account == who.account && s.kind == who.kind && sameName &&
		(who.kind == "role" || strings.EqualFold(s.path, who.path))
}
