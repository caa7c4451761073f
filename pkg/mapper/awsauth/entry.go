package awsauth

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// fields are the values of an entry of mapRoles or mapUsers.
type fields struct {
	at       *yaml.Node
	arn      *yaml.Node
	sso      *yaml.Node
	username *yaml.Node
	groups   *yaml.Node
}

func (r *reading) readEntry(s *section, name string, item *yaml.Node) {
	if item.Kind != yaml.MappingNode {
		r.drop(mapper.EntryNotMap, name, item, described(item)+" is not an entry", "write rolearn or userarn, username and groups, each on a line of its own")
		return
	}
	f, ok := r.readFields(name, item)
	if !ok {
		return
	}
	entry := mapper.Entry{Rule: r.rule(name, item)}
	kind := identity.KindRole
	if f.sso != nil {
		entry.SSO, ok = r.readSSO(name, f.sso)
	} else {
		entry.ARN, kind, ok = r.readARN(name, f.arn)
	}
	if !ok {
		return
	}
	if !r.readUsername(&entry, kind, name, f) || !r.readGroups(&entry, name, f) {
		return
	}
	r.warnOf(entry, kind, name, f)
	s.entries = r.replace(s.entries, entry, name, f)
}

// readFields sorts an entry's keys, which are matched in any case.
func (r *reading) readFields(name string, item *yaml.Node) (fields, bool) {
	f := fields{at: item}
	arnField, otherField := "rolearn", "userarn"
	if name == mapUsers {
		arnField, otherField = otherField, arnField
	}
	seen := map[string]bool{}
	for key, value := range pairs(item) {
		value = resolve(value)
		field := strings.ToLower(key.Value)
		if seen[field] {
			r.warn(mapper.RepeatedField, name, key, fmt.Sprintf("%s stands in the entry twice; the last one wins, as on EKS", key.Value), "remove one of them")
		}
		seen[field] = true
		switch field {
		case arnField:
			f.arn = value
		case otherField:
			r.drop(mapper.EntryWrongField, name, key, fmt.Sprintf("%s has entries with %s, not %s", name, arnField, key.Value),
				fmt.Sprintf("write %s, or move the entry to the other section", arnField))
			return f, false
		case "sso":
			if name != mapRoles {
				r.drop(mapper.EntryWrongField, name, key, "sso stands for roles, and has no place under "+name, "move the entry to mapRoles")
				return f, false
			}
			f.sso = value
		case "username":
			f.username = value
		case "groups":
			f.groups = value
		case "<<":
			r.drop(mapper.MergeKey, name, key, "YAML's merge key is not supported", "write the fields out")
			return f, false
		case "userid": // the incumbent's DynamicFile has it; nothing reads it
		default:
			r.warn(mapper.UnknownField, name, key, fmt.Sprintf("the field %q means nothing", key.Value), fmt.Sprintf("write one of %s, username, groups", arnField))
		}
	}
	switch {
	case f.arn != nil && f.sso != nil:
		r.drop(mapper.EntryWrongField, name, item, "it has both rolearn and sso", "keep one of them")
		return f, false
	case f.arn == nil && f.sso == nil:
		r.drop(mapper.EntryNoARN, name, item, "it has no "+arnField, "add "+arnField)
		return f, false
	}
	return f, true
}

func (r *reading) readARN(name string, node *yaml.Node) (string, identity.Kind, bool) {
	if !isText(node) {
		r.drop(mapper.EntryWrongType, name, node, described(node)+" is not an ARN", "write the ARN as text")
		return "", 0, false
	}
	canonical, kind, err := identity.Canonicalize(normalized(node.Value))
	if err != nil {
		r.drop(mapper.EntryInvalidARN, name, node, fmt.Sprintf("%q is not the ARN of an IAM user, role, federated user or root", node.Value),
			"write it like arn:aws:iam::123456789012:role/name or arn:aws:iam::123456789012:user/name")
		return "", 0, false
	}
	partition := strings.Split(canonical, ":")[1]
	if r.opts.Partition != "" && partition != r.opts.Partition {
		r.drop(mapper.EntryPartition, name, node, fmt.Sprintf("the ARN is of partition %s, and this cluster is in %s", partition, r.opts.Partition),
			fmt.Sprintf("write arn:%s:…", r.opts.Partition))
		return "", 0, false
	}
	return canonical, kind, true
}

// normalized puts what AWS always spells in lower case so, since ARNs match in
// any case.
func normalized(arn string) string {
	parts := strings.SplitN(strings.TrimSpace(arn), ":", 6)
	for i := range parts[:len(parts)-1] {
		parts[i] = strings.ToLower(parts[i])
	}
	last := &parts[len(parts)-1]
	if kind, rest, ok := strings.Cut(*last, "/"); ok {
		*last = strings.ToLower(kind) + "/" + rest
	} else {
		*last = strings.ToLower(kind)
	}
	return strings.Join(parts, ":")
}

var permissionSetName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,32}$`)

func (r *reading) readSSO(name string, node *yaml.Node) (*mapper.SSO, bool) {
	const example = `write sso: {permissionSetName: Admin, accountID: "123456789012"}`
	if node.Kind != yaml.MappingNode {
		r.drop(mapper.EntryInvalidSSO, name, node, "sso is not a map", example)
		return nil, false
	}
	var sso mapper.SSO
	for key, value := range pairs(node) {
		value = resolve(value)
		if value.Kind != yaml.ScalarNode {
			r.drop(mapper.EntryInvalidSSO, name, value, described(value)+" is not text", example)
			return nil, false
		}
		switch strings.ToLower(key.Value) {
		case "permissionsetname":
			sso.PermissionSet = value.Value
		case "accountid":
			sso.AccountID = value.Value
		case "partition":
			sso.Partition = value.Value
		default:
			r.warn(mapper.UnknownField, name, key, fmt.Sprintf("the field %q means nothing", key.Value), "write one of permissionSetName, accountID, partition")
		}
	}
	if sso.Partition == "" {
		sso.Partition = r.opts.Partition
	}
	switch {
	case !permissionSetName.MatchString(sso.PermissionSet):
		r.drop(mapper.EntryInvalidSSO, name, node, fmt.Sprintf("%q is not the name of a permission set", sso.PermissionSet), example)
	case !isAccountID(sso.AccountID):
		r.drop(mapper.InvalidAccountID, name, node, fmt.Sprintf("%q is not an account ID", sso.AccountID), example)
	case r.opts.Partition != "" && sso.Partition != r.opts.Partition:
		r.drop(mapper.EntryPartition, name, node, fmt.Sprintf("partition %q is not this cluster's, %s", sso.Partition, r.opts.Partition), "leave partition out")
	default:
		return &sso, true
	}
	return nil, false
}

func (r *reading) readUsername(entry *mapper.Entry, kind identity.Kind, name string, f fields) bool {
	text := ""
	if f.username != nil && f.username.Tag != "!!null" {
		if !isText(f.username) {
			r.drop(mapper.EntryWrongType, name, f.username, "username is not text but "+described(f.username), "put it in quotes")
			return false
		}
		text = f.username.Value
	}
	if text == "" {
		text = defaultUsername(*entry, kind)
		r.warn(mapper.NoUsername, name, f.at, fmt.Sprintf("it has no username; EKS's default is used: %s", text), "add username")
	}
	return r.readTemplate(&entry.Username, name, f.username, text)
}

// defaultUsername is what EKS calls an access entry's user who has no other name.
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
	parts := strings.Split(entry.ARN, ":")
	return fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/{{SessionName}}", parts[1], parts[4], entry.ARN[strings.LastIndexByte(entry.ARN, '/')+1:])
}

func (r *reading) readGroups(entry *mapper.Entry, name string, f fields) bool {
	if f.groups == nil || f.groups.Tag == "!!null" {
		return true
	}
	if f.groups.Kind != yaml.SequenceNode {
		r.drop(mapper.EntryWrongType, name, f.groups, "groups is not a list but "+described(f.groups), `write each group on a line of its own after "- "`)
		return false
	}
	for _, item := range f.groups.Content {
		item = resolve(item)
		if !isText(item) || item.Value == "" {
			r.drop(mapper.EntryWrongType, name, item, "a group is not text but "+described(item), "put it in quotes")
			return false
		}
		var group mapper.Template
		if !r.readTemplate(&group, name, item, item.Value) {
			return false
		}
		entry.Groups = append(entry.Groups, group)
	}
	return true
}

func (r *reading) readTemplate(into *mapper.Template, name string, at *yaml.Node, text string) bool {
	template, err := mapper.ParseTemplate(text)
	if err != nil {
		r.drop(mapper.EntryTemplate, name, at, err.Error(), "write one of {{"+strings.Join(mapper.Placeholders(), "}}, {{")+"}}")
		return false
	}
	*into = template
	return true
}

// replace adds an entry, in the place of one for the same principal.
func (r *reading) replace(entries []mapper.Entry, entry mapper.Entry, name string, f fields) []mapper.Entry {
	i := slices.IndexFunc(entries, func(e mapper.Entry) bool { return samePrincipal(e, entry) })
	if i < 0 {
		return append(entries, entry)
	}
	r.warn(mapper.DuplicateEntry, name, f.at, fmt.Sprintf("the same principal stands in line %d; this entry wins, as on EKS", entries[i].Rule.Line), "remove one of them")
	return append(slices.Delete(entries, i, i+1), entry)
}

func samePrincipal(a, b mapper.Entry) bool {
	if a.SSO != nil && b.SSO != nil {
		return *a.SSO == *b.SSO
	}
	return a.SSO == nil && b.SSO == nil && strings.EqualFold(a.ARN, b.ARN)
}

// warnOf reports what acts and yet may not be what was meant.
func (r *reading) warnOf(entry mapper.Entry, kind identity.Kind, name string, f fields) {
	if entry.SSO == nil {
		r.warnOfARN(entry.ARN, kind, name, f.arn)
	}
	if entry.Username.Uses("EC2PrivateDNSName") {
		if kind != identity.KindRole {
			r.warn(mapper.NodeNameOnUserRole, name, f.username, "{{EC2PrivateDNSName}} stands for instances, which sign in by a role", "map the role of the instances")
		}
	} else if kind == identity.KindRole && !entry.Username.Uses("SessionName") && !entry.Username.Uses("SessionNameRaw") && f.username != nil {
		r.warn(mapper.SharedUsername, name, f.username, "all who assume the role have this one username, and look alike in the audit log",
			fmt.Sprintf("write %q", entry.Username.String()+":{{SessionName}}"))
	}
	for i, group := range entry.Groups {
		if strings.HasPrefix(group.String(), "system:") && !slices.Contains(systemGroups(), group.String()) {
			r.warn(mapper.SystemGroup, name, f.groups.Content[i], fmt.Sprintf("%q is not a group that Kubernetes knows", group), "write one of "+strings.Join(systemGroups(), ", "))
		}
	}
}

func (r *reading) warnOfARN(arn string, kind identity.Kind, name string, at *yaml.Node) {
	isRole := kind == identity.KindRole
	if isRole && name == mapUsers || !isRole && name == mapRoles {
		r.warn(mapper.WrongSection, name, at, "the ARN is of the other section's kind; it acts all the same", "move the entry to the other section")
	}
	prefix, path, _ := strings.Cut(arn, ":role/")
	if i := strings.LastIndexByte(path, '/'); isRole && i >= 0 && r.opts.RolePaths == mapper.RolePathsIgnore {
		r.warn(mapper.RolePath, name, at, "AWS never answers a role's path, so that as on EKS this entry matches nobody", "write "+prefix+":role/"+path[i+1:])
	}
}

// systemGroups are the groups of Kubernetes itself that mappings have to do with.
func systemGroups() []string {
	return []string{"system:masters", "system:nodes", "system:bootstrappers", "system:node-proxier", "system:authenticated", "system:unauthenticated", "system:monitoring", "system:basic-user"}
}

// pairs yields a mapping's keys and values; of anything else, nothing.
func pairs(node *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if node == nil || node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(resolve(node.Content[i]), node.Content[i+1]) {
				return
			}
		}
	}
}

// resolve follows a YAML alias to what it stands for.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isText(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Tag == "!!str"
}

// described is a node in few words.
func described(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	default:
		const limit = 80
		if len(node.Value) > limit {
			return fmt.Sprintf("%q…", node.Value[:limit])
		}
		return fmt.Sprintf("%q", node.Value)
	}
}

func isAccountID(id string) bool {
	return len(id) == 12 && strings.Trim(id, "0123456789") == ""
}
