package identity

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid matches every error of this package.
var ErrInvalid = errors.New("not an AWS identity")

// arn is the ARN of an identity that can sign requests, or of a role.
type arn struct {
	partition, account string
	kind               Kind
	// resource is that of the canonical ARN: user/path/bob, role/admin.
	resource string
	// session is the session name of an assumed role.
	session string
}

// Canonicalize returns the ARN that mappings for the principal name: an assumed
// role's session ARN becomes its role's; every other ARN stays.
func Canonicalize(arn string) (string, Kind, error) {
	a, err := parseARN(arn)
	if err != nil {
		return "", KindUnknown, err
	}
	return a.canonical(), a.kind, nil
}

func (a arn) canonical() string {
	service := "iam"
	if a.kind == KindFederatedUser {
		service = "sts"
	}
	return "arn:" + a.partition + ":" + service + "::" + a.account + ":" + a.resource
}

func parseARN(text string) (arn, error) {
	invalid := func(why string) (arn, error) { return arn{}, fmt.Errorf("%w: %q %s", ErrInvalid, text, why) }
	// arn:partition:service:region:account:resource
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return invalid("is not an ARN")
	}
	if !isPartition(parts[1]) {
		return invalid("names no partition")
	}
	if parts[3] != "" {
		return invalid("names a region, which an identity does not have")
	}
	if !isAccountID(parts[4]) {
		return invalid("does not name an account of 12 digits")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return invalid("holds a space or a character that is not ASCII")
	}
	a := arn{partition: parts[1], account: parts[4], resource: parts[5]}
	switch kind, rest, _ := strings.Cut(parts[5], "/"); {
	case parts[2] == "iam" && parts[5] == "root":
		a.kind = KindRoot
	case parts[2] == "iam" && kind == "user" && isPath(rest):
		a.kind = KindUser
	case parts[2] == "iam" && kind == "role" && isPath(rest):
		a.kind = KindRole
	case parts[2] == "sts" && kind == "federated-user" && isPath(rest):
		a.kind = KindFederatedUser
	case parts[2] == "sts" && kind == "assumed-role" && isPath(rest) && strings.Contains(rest, "/"):
		i := strings.LastIndexByte(rest, '/')
		a.kind, a.resource, a.session = KindRole, "role/"+rest[:i], rest[i+1:]
	default:
		return invalid("is not the ARN of a user, a role, an assumed role, a federated user or root")
	}
	return a, nil
}

// isPath reports whether a path consists of names between single slashes.
func isPath(path string) bool {
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			return false
		}
	}
	return true
}

// isPartition reports whether a name could be a partition's: aws, aws-cn, …
func isPartition(name string) bool {
	rest, ok := strings.CutPrefix(name, "aws")
	if !ok || strings.HasSuffix(name, "-") {
		return false
	}
	if rest == "" {
		return true
	}
	return rest[0] == '-' && !strings.ContainsFunc(rest, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') })
}

func isAccountID(id string) bool {
	return len(id) == 12 && !strings.ContainsFunc(id, func(r rune) bool { return r < '0' || r > '9' })
}
