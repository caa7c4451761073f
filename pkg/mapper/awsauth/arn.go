package awsauth

import (
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// readARN reads the ARN that an entry is for. An ARN that matches nobody on EKS must
// not become a grant here, so its entry is inert.
func (r *reading) readARN(entry *mapper.Entry, name string, node *yaml.Node) (identity.Kind, bool) {
	if !isText(node) {
		fix := "write the ARN as text"
		if node.Tag == "!!int" {
			fix = "write the ARN of a user or role; accounts belong in mapAccounts"
		}
		r.drop(mapper.EntryWrongType, name, node, described(node)+" is not an ARN", fix)
		return 0, false
	}
	written := node.Value
	if len(written) > maxARN {
		r.drop(mapper.EntryTooLong, name, node, fmt.Sprintf("the ARN has %d bytes (at most %d)", len(written), maxARN), "write the ARN of one user or role")
		return 0, false
	}
	if what, ok := leftover(written); ok {
		r.drop(codeOf(written), name, node, fmt.Sprintf("the ARN %s contains %s", quoted(written), what), "fill it in")
		return 0, false
	}
	stripped := withoutSpace(written)
	canonical, kind, err := canonicalize(stripped)
	if err != nil || !isPartition(strings.Split(canonical, ":")[1]) {
		f := explainARN(written)
		r.drop(f.code, name, node, f.cause, f.fix)
		return 0, false
	}
	entry.ARN = canonical
	if stripped != written {
		entry.Inert = mapper.MissWhiteSpace
		fix, text := "write "+stripped, stripped
		if strings.ContainsFunc(strings.TrimSpace(written[strings.LastIndexByte(written, '/')+1:]), unicode.IsSpace) {
			fix, text = "write the name as in IAM, without white space", "" // "a b" may mean a-b
		}
		r.drop(codeOf(written), name, node, fmt.Sprintf("the ARN %s contains white space and matches nobody, as on EKS", quoted(written)), fix)
		r.suggestText(node, text)
		return kind, true
	}
	if partition := strings.Split(canonical, ":")[1]; r.opts.Partition != "" && partition != r.opts.Partition {
		r.drop(mapper.EntryPartition, name, node, fmt.Sprintf("the ARN is in partition %s, but this cluster is in partition %s", partition, r.opts.Partition),
			fmt.Sprintf("write arn:%s:…, or, if the cluster is in partition %s, start the server with --partition %s", r.opts.Partition, partition, partition))
		return 0, false
	}
	if f, ok := explainName(canonical, !r.opts.EKS); ok {
		r.drop(f.code, name, node, f.cause, f.fix)
		return 0, false
	}
	r.readAssumedRole(entry, name, node)
	if entry.Inert == "" {
		r.warnOfARN(entry, kind, name, node)
	}
	return kind, true
}

// readAssumedRole applies the AssumedRoles option to an entry for an assumed role.
func (r *reading) readAssumedRole(entry *mapper.Entry, name string, node *yaml.Node) {
	if !isAssumedRole(node.Value) {
		return
	}
	prefix, _, role := splitRole(entry.ARN)
	fix := fmt.Sprintf("write %s, which maps every session of the role", prefix+role)
	if r.opts.AssumedRoles == AssumedRolesAsRole && !r.opts.UserIDs {
		entry.AssumedRole = true
		r.warn(mapper.AssumedRole, name, node, fmt.Sprintf("%s is the ARN of one session and matches the whole role: it maps every session of the role", quoted(node.Value)), fix)
		r.suggestText(node, prefix+role)
		return
	}
	entry.Inert = mapper.MissAssumedRole
	r.drop(mapper.AssumedRole, name, node, fmt.Sprintf("%s is the ARN of an assumed role and matches nobody, as on EKS", quoted(node.Value)), fix)
	r.suggestText(node, prefix+role)
}

// warnOfARN reports an ARN that is valid but may not be intended.
func (r *reading) warnOfARN(entry *mapper.Entry, kind identity.Kind, name string, at *yaml.Node) {
	isRole := kind == identity.KindRole
	switch {
	case isRole && name == mapUsers:
		r.warn(mapper.WrongSection, name, at, "the ARN is a role's; the entry still applies", "move the entry to mapRoles, with rolearn instead of userarn")
	case !isRole && name == mapRoles:
		r.warn(mapper.WrongSection, name, at, "the ARN is not a role's; the entry still applies", "move the entry to mapUsers, with userarn instead of rolearn")
	}
	if prefix, path, role := splitRole(entry.ARN); isRole && path != "" && r.opts.RolePaths == mapper.RolePathsIgnore && entry.UserID == "" {
		r.warn(mapper.RolePath, name, at, "AWS never returns a role's path, so this entry matches nobody, as on EKS", "write "+prefix+role)
		r.suggestText(at, prefix+role)
	} else if isRole {
		r.warnOfSuffix(role, name, at)
	}
}

// splitRole splits a role's canonical ARN into the part before the role's path, the
// path, and the role's name.
func splitRole(arn string) (prefix, path, name string) {
	head, rest, ok := strings.Cut(arn, ":role/")
	if !ok {
		return "", "", ""
	}
	i := strings.LastIndexByte(rest, '/') + 1
	return head + ":role/", rest[:i], rest[i:]
}

func isAssumedRole(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && strings.EqualFold(parts[2], "sts") && strings.HasPrefix(strings.ToLower(parts[5]), "assumed-role/")
}

// canonicalize returns the canonical form of a principal's ARN, which may be in any
// case.
func canonicalize(arn string) (string, identity.Kind, error) {
	canonical, kind, err := identity.Canonicalize(arn)
	if err == nil {
		return canonical, kind, nil
	}
	return identity.Canonicalize(normalized(arn))
}

// normalized returns an ARN with the parts in lower case that AWS always spells so,
// since ARNs match in any case.
func normalized(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	for i := range parts[:len(parts)-1] {
		parts[i] = strings.ToLower(parts[i])
	}
	last := &parts[len(parts)-1]
	kind, rest, ok := strings.Cut(*last, "/")
	if *last = strings.ToLower(kind); ok {
		*last += "/" + rest
	}
	return strings.Join(parts, ":")
}

// withoutSpace returns a text without white space and invisible characters.
func withoutSpace(text string) string {
	if !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return text // the usual case
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || unicode.In(c, unicode.Cf, unicode.Cc) {
			return -1
		}
		return c
	}, text)
}
