package awsauth

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/spelling"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// fields has the values of an entry of mapRoles or mapUsers.
type fields struct {
	at                                 *yaml.Node
	arn, sso, userID, username, groups *yaml.Node
}

// readEntries reads the entries of mapRoles or mapUsers.
func (r *reading) readEntries(name string, items []*yaml.Node) []mapper.Entry {
	entries := make([]mapper.Entry, 0, len(items))
	parsed, last := r.parsed[name], r.lastRead(name)
	read := map[*yaml.Node]mapper.Entry{}
	var above *yaml.Node // the entry above
	var shared sharedUsernames
	for _, item := range items {
		item = resolve(item)
		if item.Kind != yaml.MappingNode {
			r.notAnEntry(name, item, above)
			continue
		}
		above = item
		entry, ok := last[item]
		reported := r.reported() + shared.count
		if !ok {
			entry, ok = r.readEntry(name, item, &shared)
		}
		if !ok {
			continue
		}
		entries = append(entries, entry)
		if parsed != nil && r.reported()+shared.count == reported {
			read[item] = entry
		}
	}
	if parsed != nil && !r.ignoresUserIDs {
		parsed.read = readItems{r.opts, r.text.origin, read}
	}
	shared.report(r, name)
	return entries
}

// notAnEntry reports an item that is not a mapping. A name below an entry is most
// likely one of its groups, indented too little.
func (r *reading) notAnEntry(name string, item, above *yaml.Node) {
	if above != nil && isText(item) && !strings.HasPrefix(strings.ToLower(item.Value), "arn:") {
		line, _ := r.text.origin.place(above.Line, 0)
		r.principal = arnOf(above)
		defer func() { r.principal = "" }()
		r.report(mapper.GroupOutdented, mapper.Error, name, item,
			fmt.Sprintf("%s is indented like an entry, but is most likely a group of the entry in line %d", quoted(item.Value), line), "it is ignored",
			`indent it so that its "- " is below groups:`)
		r.showLines(item)
		return
	}
	if isText(item) {
		r.principal = bounded(item.Value)
		defer func() { r.principal = "" }()
	}
	arnField, _ := arnFields(name)
	r.drop(mapper.EntryNotMap, name, item, described(item)+" is not an entry", "write "+arnField+", username and groups, each on a line of its own")
}

func (r *reading) readEntry(name string, item *yaml.Node, shared *sharedUsernames) (mapper.Entry, bool) {
	r.principal = arnOf(item)
	defer func() { r.principal = "" }()
	f, ok := r.readFields(name, item)
	if !ok {
		return mapper.Entry{}, false
	}
	entry := mapper.Entry{}
	entry.Rule, entry.Column = r.rule(name, item)
	if r.opts.UserIDs && !r.readUserID(&entry, name, f.userID) {
		return mapper.Entry{}, false
	}
	kind := identity.KindRole
	switch {
	case f.sso != nil:
		ok = r.readSSO(&entry, name, f.sso)
	case isAbsent(f.arn): // the unique ID is enough
		if name == mapUsers {
			kind = identity.KindUser
		}
	default:
		kind, ok = r.readARN(&entry, name, f.arn)
	}
	if !ok {
		return entry, false
	}
	if entry.Inert != "" {
		r.readSilently(&entry, kind, name, f)
		return entry, true
	}
	if !r.readUsername(&entry, kind, name, f, shared) {
		return mapper.Entry{}, false
	}
	entry.Groups = r.readGroups(name, f)
	return entry, true
}

// readSilently reads the username and the groups of an entry without effect, since an
// explanation shows them. It reports no problems in them.
func (r *reading) readSilently(entry *mapper.Entry, kind identity.Kind, name string, f fields) {
	if r.silent == nil {
		r.silent = newReading(nil, r.opts)
	}
	r.silent.text = r.text
	r.silent.readUsername(entry, kind, name, f, &sharedUsernames{})
	entry.Groups = r.silent.readGroups(name, f)
}

// arnOf returns the ARN of an entry as it is written, valid or not; empty if the entry
// has none.
func arnOf(item *yaml.Node) string {
	for key, value := range pairs(item) {
		if field := strings.ToLower(key.Value); field == "rolearn" || field == "userarn" {
			if value = resolve(value); value.Kind == yaml.ScalarNode {
				return bounded(value.Value)
			}
		}
	}
	return ""
}

// bounded cuts a text to the length of the longest ARN.
func bounded(text string) string { return cut(text, maxARN) }

// arnFields returns the ARN field of a section's entries, and that of the other
// section's entries.
func arnFields(name string) (its, other string) {
	if name == mapUsers {
		return "userarn", "rolearn"
	}
	return "rolearn", "userarn"
}

// readFields returns the fields of an entry. It matches keys in any case.
func (r *reading) readFields(name string, item *yaml.Node) (fields, bool) {
	f := fields{at: item}
	arnField, otherField := arnFields(name)
	var spelled struct{ arn, sso, userID, username, groups *yaml.Node }
	for key, value := range pairs(item) {
		value = resolve(value)
		if r.weaklyTyped {
			value = r.convertField(name, key, value)
		}
		var field **yaml.Node
		var before **yaml.Node
		switch strings.ToLower(key.Value) {
		case arnField:
			field, before = &f.arn, &spelled.arn
		case "username":
			field, before = &f.username, &spelled.username
		case "groups":
			field, before = &f.groups, &spelled.groups
		case "sso":
			if name != mapRoles {
				if r.wrongField(name, item, key, arnField) {
					continue
				}
				r.drop(mapper.EntryWrongField, name, key, "sso is for roles, not for "+name, "move the entry to mapRoles")
				return f, false
			}
			field, before = &f.sso, &spelled.sso
		case otherField:
			if r.wrongField(name, item, key, arnField) {
				continue
			}
			r.drop(mapper.EntryWrongField, name, key, fmt.Sprintf("entries of %s have %s, not %s", name, arnField, key.Value), fixWrongField(name, arnField, value))
			return f, false
		case "<<":
			r.drop(mapper.MergeKey, name, key, "YAML's merge key is not supported", "write the fields out")
			r.onEKS(key, "the entry is not ignored: its fields are merged")
			return f, false
		case "userid": // a field of aws-iam-authenticator's DynamicFile
			if !r.opts.UserIDs {
				r.ignoresUserIDs = r.ignoresUserIDs || !isAbsent(value)
				continue
			}
			field, before = &f.userID, &spelled.userID
		default:
			r.unknownField(name, key, arnField, "username", "groups")
			continue
		}
		if r.repeated(name, key, *before) {
			*field, *before = value, key
		}
	}
	return f, r.checkFields(name, f)
}

// fixWrongField says where an ARN belongs that has the field of the other section.
func fixWrongField(name, arnField string, arn *yaml.Node) string {
	switch section := sectionFor(arn.Value); {
	case section == name:
		return "write " + arnField
	case section != "":
		return "move the entry to " + section
	case name == mapUsers:
		return fmt.Sprintf("write %s, or move the entry to %s", arnField, mapRoles)
	default:
		return fmt.Sprintf("write %s, or move the entry to %s", arnField, mapUsers)
	}
}

// sectionFor returns the section for entries with an ARN; empty if it is not one.
func sectionFor(arn string) string {
	_, kind, err := canonicalize(withoutSpace(arn))
	switch {
	case err != nil:
		return ""
	case kind == identity.KindRole:
		return mapRoles
	default:
		return mapUsers
	}
}

// wrongField ignores a field of the other section in an entry that has its own ARN, as EKS
// does, and reports whether it did.
func (r *reading) wrongField(name string, item, key *yaml.Node, arnField string) bool {
	for other, value := range pairs(item) {
		if strings.EqualFold(other.Value, arnField) && !isAbsent(resolve(value)) {
			r.warn(mapper.WrongField, name, key, fmt.Sprintf("entries of %s have no %s, so it is ignored", name, key.Value), "remove it")
			return true
		}
	}
	return false
}

// repeated reports whether a field replaces an earlier one, if there is one. EKS sorts
// an entry's keys before it matches them in any case: of different spellings, the one
// that sorts last applies, and of equal ones, the last.
func (r *reading) repeated(section string, key, before *yaml.Node) (acts bool) {
	if before == nil {
		return true
	}
	acts = key.Value >= before.Value
	which, other := "the last one applies", key
	if key.Value != before.Value {
		which = max(key.Value, before.Value) + " applies"
	}
	if acts {
		other = before
	}
	r.warn(mapper.RepeatedField, section, key, fmt.Sprintf("%s occurs twice in the entry; %s, as on EKS", key.Value, which), "remove one of them")
	line, column := r.text.origin.place(other.Line, other.Column)
	r.suggest(key, mapper.Edit{Kind: mapper.Remove, Line: line, Column: column})
	return acts
}

func (r *reading) checkFields(name string, f fields) bool {
	arnField, _ := arnFields(name)
	switch {
	case f.sso != nil && r.opts.UserIDs:
		r.drop(mapper.EntryWrongField, name, f.sso, "entries match by userid, which a permission set does not have", "write rolearn and userid instead of sso")
	case f.arn != nil && f.sso != nil:
		r.drop(mapper.EntryWrongField, name, f.at, "the entry has both rolearn and sso", "keep one of them")
	case r.opts.UserIDs && isAbsent(f.userID):
		r.drop(mapper.EntryNoUserID, name, f.at, "the entry has no userid, although entries match by it", "add userid: the unique ID of the user or role (AIDA… or AROA…)")
	case r.opts.UserIDs && isAbsent(f.arn):
		return true
	case f.arn == nil && f.sso == nil:
		r.drop(mapper.EntryNoARN, name, f.at, "the entry has no "+arnField, "add "+arnField)
	case f.sso == nil && isAbsent(f.arn):
		r.drop(mapper.EntryNoARN, name, f.at, arnField+" is empty", "write the ARN after "+arnField+":")
	default:
		return true
	}
	return false
}

func (r *reading) unknownField(section string, key *yaml.Node, known ...string) {
	message := fmt.Sprintf("unknown field %s", quoted(key.Value))
	field := spelling.Within(maxTypos, shortened(key.Value), known)
	if field == "" {
		r.warn(mapper.UnknownField, section, key, message, "remove it, or write one of "+strings.Join(known, ", "))
		return
	}
	r.warn(mapper.UnknownField, section, key, message, "write "+field)
	r.suggest(key, mapper.Edit{Kind: mapper.Rename, Old: key.Value, New: field})
}
