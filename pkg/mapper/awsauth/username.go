package awsauth

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/spelling"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

func (r *reading) readUsername(entry *mapper.Entry, kind identity.Kind, name string, f fields, shared *sharedUsernames) bool {
	text := ""
	if !isNone(f.username) {
		if !isText(f.username) {
			r.drop(mapper.EntryWrongType, name, f.username, "username is not text but "+described(f.username), fixType(f.username))
			r.suggestText(f.username, f.username.Value)
			if isZeroOnEKS(f.username) {
				r.onEKS(f.username, "the entry is not ignored, and has an empty username")
			}
			return false
		}
		text = f.username.Value
	}
	if text == "" && entry.ARN == "" && entry.SSO == nil {
		r.drop(mapper.NoUsername, name, f.at, "the entry has neither a username nor an ARN from which to make one", "add username")
		return false
	}
	if text == "" {
		template, err := mapper.ParseTemplate(defaultUsername(*entry, kind))
		if err != nil {
			r.drop(mapper.EntryTemplate, name, f.at, err.Error(), "add username")
			return false
		}
		r.warn(mapper.NoUsername, name, f.at, fmt.Sprintf("the entry has no username, so it gets EKS's default: %s", template), "add username")
		r.onEKS(f.at, "the entry has an empty username: only access entries have a default")
		entry.Username = template
		return true
	}
	if len(text) > maxName {
		r.drop(mapper.EntryTooLong, name, f.username, fmt.Sprintf("username has %d bytes (at most %d)", len(text), maxName), "write a shorter one")
		r.onEKS(f.username, "the entry is not ignored: there is no such limit")
		return false
	}
	template, err := mapper.ParseTemplate(text)
	if err != nil {
		r.drop(mapper.EntryTemplate, name, f.username, err.Error(), fixTemplate(text))
		r.suggestText(f.username, correctTemplate(text))
		r.onEKS(f.username, "the entry is not ignored, and what is not a known placeholder stays in its username as text")
		return false
	}
	entry.Username = template
	r.warnOfUsername(entry, kind, name, f, shared)
	return true
}

// fixType returns what to write instead of a value that is not text.
func fixType(node *yaml.Node) string {
	if node.Kind == yaml.ScalarNode {
		return "put it in quotes"
	}
	return "write one name"
}

// fixTemplate returns what to write instead of an unknown placeholder.
func fixTemplate(text string) string {
	wrong, right := misspelt(text)
	switch {
	case right != "":
		return "write {{" + right + "}}"
	case strings.LastIndex(text, "{{") > strings.LastIndex(text, "}}"):
		return "close the placeholder with }}"
	case strings.ContainsAny(wrong, ".$|("):
		return "render the Helm or Jinja template before you apply it"
	default:
		return "write one of {{" + strings.Join(mapper.Placeholders(), "}}, {{") + "}}"
	}
}

// misspelt returns the first placeholder of a text that is misspelt, and how to spell
// it; right is empty if wrong is a template of another tool, or nothing.
func misspelt(text string) (wrong, right string) {
	for {
		var closed bool
		_, text, _ = strings.Cut(text, "{{")
		if wrong, text, closed = strings.Cut(text, "}}"); !closed {
			return "", ""
		}
		if known := spelling.Within(maxTypos, strings.TrimSpace(wrong), mapper.Placeholders()); known != "" && known != wrong {
			return wrong, known
		}
		if strings.ContainsAny(wrong, ".$|(") {
			return wrong, ""
		}
	}
}

// correctTemplate returns a text with its misspelt placeholder corrected; empty if that
// does not make it valid.
func correctTemplate(text string) string {
	wrong, right := misspelt(text)
	corrected := strings.Replace(text, "{{"+wrong+"}}", "{{"+right+"}}", 1)
	if _, err := mapper.ParseTemplate(corrected); err != nil {
		return ""
	}
	return corrected
}

// defaultUsername returns the username that EKS gives to an access entry without one.
func defaultUsername(entry mapper.Entry, kind identity.Kind) string {
	if entry.SSO != nil {
		partition := entry.SSO.Partition
		if partition == "" {
			partition = "aws"
		}
		return fmt.Sprintf("arn:%s:sts::%s:assumed-role/AWSReservedSSO_%s/{{SessionName}}", partition, entry.SSO.AccountID, entry.SSO.PermissionSet)
	}
	if kind != identity.KindRole {
		return entry.ARN
	}
	parts := strings.SplitN(entry.ARN, ":", 6)
	_, _, role := splitRole(entry.ARN)
	return fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/{{SessionName}}", parts[1], parts[4], role)
}

// warnOfUsername reports a username that is valid but may not be intended.
func (r *reading) warnOfUsername(entry *mapper.Entry, kind identity.Kind, name string, f fields, shared *sharedUsernames) {
	username := entry.Username
	if before, _, ok := strings.Cut(username.String(), " - "); ok && f.groups == nil && f.username.Style == 0 {
		r.report(mapper.GroupsFolded, mapper.Error, name, f.username,
			fmt.Sprintf("the username is %s: the list below it became part of it", quoted(username.String())), "the entry has no groups",
			fmt.Sprintf("write groups: on a line between username: %s and the list", shortened(before)))
		r.showLines(f.username)
		return
	}
	r.warnOfName(name, "username", f.username, username.String())
	isRole := kind == identity.KindRole
	switch {
	case username.Uses("EC2PrivateDNSName"):
		if !isRole {
			r.warn(mapper.NodeNameOnUserRole, name, f.username, "{{EC2PrivateDNSName}} is for EC2 instances, which sign in with a role", "map the role of the instances")
		}
	case isRole && !username.Uses("SessionName") && !username.Uses("SessionNameRaw") && !username.Uses("AccessKeyID"):
		shared.add(f.username, username)
	}
}

// sharedUsernames collects the usernames of a section that all sessions of a role
// share. Some clusters have many, so they are reported as one problem.
type sharedUsernames struct {
	first    *yaml.Node
	username mapper.Template
	count    int
}

func (s *sharedUsernames) add(at *yaml.Node, username mapper.Template) {
	if s.count++; s.count == 1 {
		s.first, s.username = at, username
	}
}

func (s *sharedUsernames) report(r *reading, name string) {
	if s.count == 0 {
		return
	}
	message := "all sessions of the role share this username and look alike in the audit log"
	if s.count > 1 {
		more := "1 more entry"
		if s.count > 2 {
			more = fmt.Sprintf("%d more entries", s.count-1)
		}
		message = fmt.Sprintf("%s; so do those of %s of %s", message, more, name)
	}
	r.warn(mapper.SharedUsername, name, s.first, message, "write "+quoted(s.username.String()+":{{SessionName}}"))
}
