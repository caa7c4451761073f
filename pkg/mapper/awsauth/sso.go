package awsauth

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

var (
	permissionSetName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,32}$`) })
	ssoRole           = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)^AWSReservedSSO_(.+)_[0-9a-f]{16}$`) })
)

const exampleSSO = `write sso: {permissionSetName: Admin, accountID: "123456789012"}`

// readSSO reads the permission set that an entry is for.
func (r *reading) readSSO(entry *mapper.Entry, name string, node *yaml.Node) bool {
	if node.Kind != yaml.MappingNode {
		r.drop(mapper.EntryInvalidSSO, name, node, "sso is not a mapping but "+described(node), exampleSSO)
		return false
	}
	sso := &mapper.SSO{}
	var spelled struct{ set, account, partition *yaml.Node }
	for key, value := range pairs(node) {
		value = resolve(value)
		var field *string
		var before **yaml.Node
		switch strings.ToLower(key.Value) {
		case "permissionsetname":
			field, before = &sso.PermissionSet, &spelled.set
		case "accountid":
			field, before = &sso.AccountID, &spelled.account
		case "partition":
			field, before = &sso.Partition, &spelled.partition
		default:
			r.unknownField(name, key, "permissionSetName", "accountID", "partition")
			continue
		}
		if !r.repeated(name, key, *before) {
			continue
		}
		*before = key
		if value.Kind != yaml.ScalarNode {
			r.drop(mapper.EntryInvalidSSO, name, value, described(value)+" is not text", exampleSSO)
			return false
		}
		*field = ""
		if !isNone(value) {
			*field = value.Value
		}
	}
	if sso.Partition == "" {
		sso.Partition = r.opts.Partition
	}
	entry.SSO = sso
	r.principal = bounded(entry.MatchedARN())
	switch {
	case sso.PermissionSet == "":
		r.drop(mapper.EntryInvalidSSO, name, node, "sso has no permissionSetName", exampleSSO)
	case ssoRole().MatchString(sso.PermissionSet):
		set := ssoRole().FindStringSubmatch(sso.PermissionSet)[1]
		r.drop(mapper.EntryInvalidSSO, name, node, quoted(sso.PermissionSet)+" is the name of the role of a permission set", "write permissionSetName: "+set)
	case !permissionSetName().MatchString(sso.PermissionSet):
		r.drop(mapper.EntryInvalidSSO, name, node, quoted(sso.PermissionSet)+" is not the name of a permission set, which has up to 32 letters, digits and + = , . @ _ -", exampleSSO)
	case sso.AccountID == "":
		r.drop(mapper.InvalidAccountID, name, node, "sso has no accountID", `add accountID: with the account's 12 digits in quotes, like "012345678901"`)
	case !isAccountID(sso.AccountID):
		fix := exampleSSO
		if id, ok := withoutDashes(sso.AccountID); ok {
			fix = "write accountID: " + strconv.Quote(id)
		}
		r.drop(mapper.InvalidAccountID, name, node, quoted(sso.AccountID)+" is not an account ID", fix)
	case r.opts.Partition != "" && sso.Partition != r.opts.Partition:
		r.drop(mapper.EntryPartition, name, node, fmt.Sprintf("partition %s is not this cluster's partition %s", quoted(sso.Partition), r.opts.Partition), fixSSOPartition(sso.Partition))
	case r.opts.EKS:
		entry.Inert = mapper.MissSSOOff
		r.report(mapper.NotOnEKS, mapper.Error, name, node, "EKS does not support sso", "on EKS, the entry matches nobody", fmt.Sprintf("write rolearn: arn:%s:iam::%s:role/AWSReservedSSO_%s_<16 hexadecimal digits>, with the digits of the role in that account",
			cmp.Or(sso.Partition, "aws"), sso.AccountID, sso.PermissionSet))
		return true
	case r.opts.NoSSO:
		entry.Inert = mapper.MissSSOOff
		r.drop(mapper.SSOOff, name, node, "entries with sso are turned off by --feature-gates SSORoleMatch=false", "turn them on, or map the role with rolearn")
		return true
	default:
		return true
	}
	return false
}

// warnOfSuffix reports a role named like one of IAM Identity Center, but without the
// digits at the end of such names: AWS reserves the prefix, so there is no such role.
func (r *reading) warnOfSuffix(role, section string, at *yaml.Node) {
	const prefix = "AWSReservedSSO_"
	if len(role) <= len(prefix) || !strings.EqualFold(role[:len(prefix)], prefix) || ssoRole().MatchString(role) {
		return
	}
	fix := "write the role's whole name, which aws iam list-roles --path-prefix /aws-reserved/ prints"
	if !r.opts.EKS && !r.opts.NoSSO {
		fix += ", or sso: {permissionSetName: …, accountID: …} instead of rolearn"
	}
	r.warn(mapper.SSOSuffix, section, at, fmt.Sprintf("the role's name %s lacks the 16 hexadecimal digits with which IAM Identity Center ends it, so the entry matches nobody", quoted(role)), fix)
}

// fixSSOPartition returns what to do about an sso entry of another partition.
func fixSSOPartition(name string) string {
	if !isPartition(name) {
		return "leave partition out"
	}
	return fmt.Sprintf("leave partition out, or, if the cluster is in partition %s, start the server with --partition %s", name, name)
}
