package awsauth

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/kube-iam/authenticator/internal/spelling"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/partition"
)

// An arnFault is why an ARN is not that of a principal, and what to write instead.
type arnFault struct {
	code       mapper.Code
	cause, fix string
}

const exampleARNs = "write it like arn:aws:iam::123456789012:role/name or arn:aws:iam::123456789012:user/name"

// codeOf returns the code for an ARN that matches nobody: ARNMatchesNobody if it has
// the form of a principal's ARN, else EntryInvalidARN. With the latter in its
// configuration file, aws-iam-authenticator does not start.
func codeOf(text string) mapper.Code {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || !isPartition(parts[1]) {
		return mapper.EntryInvalidARN
	}
	kind, rest, _ := strings.Cut(parts[5], "/")
	switch {
	case parts[2] == "iam" && (kind == "role" || kind == "user" || kind == "root"):
	case parts[2] == "sts" && (kind == "federated-user" || kind == "assumed-role" && strings.Contains(rest, "/")):
	default:
		return mapper.EntryInvalidARN
	}
	return mapper.ARNMatchesNobody
}

// explainARN returns why a text is not the ARN of a principal.
func explainARN(written string) arnFault {
	fault := func(cause, fix string) arnFault {
		return arnFault{codeOf(written), quoted(written) + " " + cause, fix}
	}
	text := withoutSpace(written)
	if straight := strings.Trim(strings.NewReplacer("“", "", "”", "", "„", "", "‘", "", "’", "").Replace(text), `"'`); straight != text {
		return fault("has quotes that are part of the text: YAML accepts only straight quotes, around the whole value", "write "+shortened(straight))
	}
	parts := strings.SplitN(text, ":", 6)
	if !strings.EqualFold(parts[0], "arn") {
		return fault(explainNoARN(text), exampleARNs)
	}
	if len(parts) < 6 {
		return fault(fmt.Sprintf("has %d of an ARN's 6 parts, which are separated by colons", len(parts)), exampleARNs)
	}
	if name := strings.ToLower(parts[1]); !isPartition(name) {
		fix := "write aws, aws-cn, aws-us-gov or another partition of AWS after arn:"
		if nearest := spelling.Within(maxTypos, name, partition.Names()); nearest != "" {
			fix = "write " + strings.Join(append([]string{parts[0], nearest}, parts[2:]...), ":")
		}
		return fault(fmt.Sprintf("names the partition %q, which does not exist", parts[1]), fix)
	}
	if cause, fix, ok := explainResource(strings.ToLower(parts[2]), parts); ok {
		return fault(cause, fix)
	}
	if parts[3] != "" {
		return fault(fmt.Sprintf("names the region %q, but principals have none", parts[3]), "write "+strings.Join([]string{parts[0], parts[1], parts[2], "", parts[4], parts[5]}, ":"))
	}
	if cause, fix, ok := explainAccount(parts[4]); ok {
		return fault(cause, fix)
	}
	if i := strings.IndexFunc(text, func(c rune) bool { return c > '~' }); i >= 0 {
		return fault(fmt.Sprintf("contains %q, which is not ASCII", []rune(text[i:])[0]), "type the ARN instead of pasting it")
	}
	if strings.Contains(parts[5], "//") || strings.HasSuffix(parts[5], "/") || !strings.Contains(parts[5], "/") {
		return fault("has no name, or an empty part in its path", exampleARNs)
	}
	return fault("is not the ARN of an IAM user, role, federated user or root", exampleARNs)
}

var uniqueID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^A[A-Z]{3}[A-Z0-9]{12,}$`) })

func isPartition(name string) bool {
	_, err := partition.Named(name)
	return err == nil
}

// explainNoARN returns what a text is that does not start like an ARN.
func explainNoARN(text string) string {
	switch {
	case text == "*":
		return "is a wildcard, but an entry is for one principal"
	case strings.Trim(text, "0123456789") == "":
		return "is a number, not an ARN; accounts belong in mapAccounts"
	case strings.Contains(text, "://"):
		return "is a URL, not an ARN"
	case strings.HasPrefix(text, "AKIA") || strings.HasPrefix(text, "ASIA"):
		return "looks like an access key ID, not an ARN"
	case uniqueID().MatchString(text):
		return "is the unique ID of an IAM principal, not its ARN"
	case strings.HasSuffix(text, ".amazonaws.com"):
		return "is a service, but services do not sign in to clusters"
	default:
		return "is not an ARN, which starts with arn:"
	}
}

// explainResource returns what an ARN names instead of a principal.
func explainResource(service string, parts []string) (cause, fix string, ok bool) {
	kind, name, _ := strings.Cut(parts[5], "/")
	if service != "iam" && service != "sts" {
		return fmt.Sprintf("is the ARN of something in service %s, not of a principal", quoted(service)), exampleARNs, true
	}
	example := func(service, kind string) string {
		return fmt.Sprintf("write arn:%s:%s::%s:%s", parts[1], service, parts[4], kind)
	}
	role := example("iam", "role/<its role>")
	switch kind := strings.ToLower(kind); {
	case kind == "group":
		return "is the ARN of an IAM group, but AWS does not return the groups of a user", "map the users in mapUsers, or a role that the group may assume in mapRoles", true
	case kind == "instance-profile":
		return "is the ARN of an instance profile, but instances sign in with its role", role, true
	case kind == "policy":
		return "is the ARN of a policy, not of a principal", "map the users and roles that have the policy", true
	case kind == "saml-provider" || kind == "oidc-provider":
		return "is the ARN of an identity provider, but its users sign in with a role", role, true
	case kind == "assumed-role" && service == "iam":
		return "is the ARN of an assumed role in service iam, but it belongs to sts", example("iam", "role/"+name[:strings.IndexByte(name+"/", '/')]), true
	case kind == "assumed-role" && !strings.Contains(name, "/"):
		return "is the ARN of an assumed role without its session", example("iam", "role/"+name), true
	case service == "sts" && (kind == "role" || kind == "user" || kind == "root"):
		return fmt.Sprintf("is the ARN of a %s in service sts, but it belongs to iam", kind), example("iam", parts[5]), true
	case service == "iam" && kind == "federated-user":
		return "is the ARN of a federated user in service iam, but it belongs to sts", example("sts", parts[5]), true
	case kind == "root":
		return "is not the ARN of an account's root, which ends in :root", example("iam", "root"), strings.Contains(parts[5], "/")
	case strings.HasPrefix(kind, "role:") || strings.HasPrefix(kind, "user:"):
		return "has a colon before the name instead of a slash", example(service, kind[:4]+"/"+parts[5][5:]), true
	case kind != "role" && kind != "user" && kind != "federated-user" && kind != "assumed-role":
		return fmt.Sprintf("is the ARN of %s, not of a user, a role, a federated user or root", quoted(kind)), exampleARNs, true
	}
	return "", "", false
}

// explainAccount returns what is wrong with an account ID.
func explainAccount(account string) (cause, fix string, ok bool) {
	digits := "write the account's 12 digits"
	if id, ok := withoutDashes(account); ok {
		digits = "write the account as " + id
	}
	switch {
	case isAccountID(account):
		return "", "", false
	case strings.Contains(account, "*"):
		return "has a wildcard as its account, but ARNs match as a whole", "write an entry for each account", true
	case account == "":
		return "names no account", digits, true
	case strings.Trim(account, "0123456789") == "":
		return fmt.Sprintf("has an account of %d digits", len(account)), digits, true
	default:
		return fmt.Sprintf("has %s as its account", quoted(account)), digits, true
	}
}

// withoutDashes returns the account ID that the AWS console shows as 1111-2222-3333.
func withoutDashes(text string) (id string, ok bool) {
	id = strings.ReplaceAll(text, "-", "")
	return id, id != text && isAccountID(id)
}

// explainName returns what is wrong with the name in a principal's ARN if IAM does not
// allow such a name: the entry never matches. The fix may be an entry with sso only if
// that is supported.
func explainName(canonical string, sso bool) (arnFault, bool) {
	parts := strings.SplitN(canonical, ":", 6)
	name := parts[5][strings.LastIndexByte(parts[5], '/')+1:]
	odd := strings.IndexFunc(name, func(c rune) bool { return !isNameCharacter(c) })
	if odd < 0 || strings.HasPrefix(strings.ToLower(name), "aws:") { // such as aws:ec2-instance
		return arnFault{}, false
	}
	fault := func(cause, fix string) (arnFault, bool) {
		return arnFault{mapper.ARNMatchesNobody, quoted(canonical) + " " + cause, fix}, true
	}
	if !strings.ContainsAny(name, "*?") {
		return fault(fmt.Sprintf("contains %q, which IAM does not allow in names", name[odd]), "write the name as in IAM: letters, digits and + = , . @ _ -")
	}
	const cause = "has a wildcard, but ARNs match as a whole"
	if set, ok := strings.CutPrefix(name, "AWSReservedSSO_"); ok && sso {
		if set = strings.TrimRight(set, "_*?"); !permissionSetName().MatchString(set) {
			set = "<permission set>"
		}
		return fault(cause, fmt.Sprintf("write sso: {permissionSetName: %s, accountID: %q} instead of rolearn", set, parts[4]))
	}
	return fault(cause, "write an entry for each of them, or map the account in mapAccounts")
}

func isNameCharacter(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("+=,.@_-", c)
}
