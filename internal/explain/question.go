package explain

import (
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/identity"
)

// UnknownSession is the session name of a question that names none.
const UnknownSession = "<session name>"

// PrincipalQuestion returns the question about the principal with an ARN.
func PrincipalQuestion(arn, session, userID string) (Question, error) {
	canonical, kind, err := identity.Canonicalize(arn)
	if err != nil {
		return Question{}, cli.Usagef("--arn: %w (expected one like arn:aws:iam::111122223333:role/admin)", err)
	}
	parts := strings.SplitN(canonical, ":", 6)
	p := identity.Principal{ARN: canonical, CanonicalARN: canonical, Partition: parts[1], AccountID: parts[4], UserID: userID, PrincipalID: userID}
	if kind != identity.KindRole {
		if session != "" {
			return Question{}, cli.Usagef("--session is for roles, and %s is not one", canonical)
		}
		return Question{Principal: p}, nil
	}
	q := Question{}
	head, name, _ := strings.Cut(canonical, ":role/")
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		q.Note = fmt.Sprintf("AWS never returns the path of a role, so the question is about role %s without the path /%s", name[i+1:], name[:i+1])
		name = name[i+1:]
		p.CanonicalARN = head + ":role/" + name
	}
	if given := sessionOf(arn); given != "" {
		if session != "" && session != given {
			return Question{}, cli.Usagef("--session %q: the ARN already has the session name %q", session, given)
		}
		session = given
	}
	if session == "" {
		session, q.SessionUnknown = UnknownSession, true
	} else if strings.ContainsFunc(session, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == ':' }) {
		return Question{}, cli.Usagef("--session %q is not a session name (expected letters, digits and _+=,.@-)", session)
	}
	p.SessionName = session
	p.ARN = "arn:" + p.Partition + ":sts::" + p.AccountID + ":assumed-role/" + name + "/" + session
	if userID != "" {
		p.UserID = userID + ":" + session
	}
	q.Principal = p
	return q, nil
}

// sessionOf returns the session name in the ARN of an assumed role.
func sessionOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[2] == "sts" && strings.HasPrefix(parts[5], "assumed-role/") {
		return parts[5][strings.LastIndexByte(parts[5], '/')+1:]
	}
	return ""
}
