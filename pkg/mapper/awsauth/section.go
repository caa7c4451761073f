package awsauth

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/spelling"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// The names of the sections, which are the keys of aws-auth.
const (
	mapRoles    = "mapRoles"
	mapUsers    = "mapUsers"
	mapAccounts = "mapAccounts"
)

// maxTypos is the maximum number of edits between a word and the one that is suggested.
const maxTypos = 2

func sectionNames() []string { return []string{mapRoles, mapUsers, mapAccounts} }

func isSection(key string) bool { return slices.Contains(sectionNames(), key) }

func sectionInAnyCase(key string) (string, bool) {
	i := slices.IndexFunc(sectionNames(), func(name string) bool { return strings.EqualFold(name, key) })
	if i < 0 {
		return "", false
	}
	return sectionNames()[i], true
}

// sectionOf returns the section that a key of a file names.
func (r *reading) sectionOf(key *yaml.Node) (name string, ok bool) {
	if isSection(key.Value) || !r.opts.SectionsInAnyCase {
		return key.Value, isSection(key.Value)
	}
	if name, ok = sectionInAnyCase(key.Value); ok {
		r.warn(mapper.SectionCase, name, key, fmt.Sprintf("the key %q is read as %s, as aws-iam-authenticator does; other programs may ignore it", key.Value, name), "write "+name)
		r.suggest(key, mapper.Edit{Kind: mapper.Rename, Old: key.Value, New: name})
	}
	return name, ok
}

// section is the content of mapRoles, mapUsers or mapAccounts.
type section struct {
	entries  []mapper.Entry
	accounts []mapper.Account
	// kept is set if the content is that of an earlier reading.
	kept bool
}

// readValue reads a section given as a YAML value.
func (r *reading) readValue(name string, value *yaml.Node) {
	value = resolve(value)
	if isNone(value) || value.Kind == yaml.ScalarNode && isEmpty(value.Value) {
		return
	}
	if value.Kind != yaml.SequenceNode {
		r.keepLast(mapper.SectionNotList, name, value, described(value)+" is not a list of entries", `start each entry with "- "`)
		return
	}
	m := newMeter()
	if excess := m.exceeds(name, value, r.text.origin); excess != "" {
		r.tooLarge(name, value, excess)
		return
	}
	if m.mappingAsKey != nil {
		r.unquotedTemplate(name, m.mappingAsKey)
		return
	}
	r.steps += m.values
	var s section
	if name == mapAccounts {
		s.accounts = r.readAccounts(value.Content)
	} else {
		s.entries = r.readEntries(name, value.Content)
	}
	r.sections[name] = s
}

func (r *reading) readAccounts(items []*yaml.Node) []mapper.Account {
	accounts := make([]mapper.Account, 0, len(items))
	defer func() { r.principal = "" }()
	for _, item := range items {
		item = resolve(item)
		r.principal = bounded(item.Value)
		// Use the text, not the number: as a number, 012345678901 loses its zero, and
		// 012345670123 is read as octal. With other tags, such as !!binary, EKS does not
		// read the text.
		isPlain := item.Tag == "!!str" || item.Tag == "!!int" || item.Tag == "!!float"
		if item.Kind != yaml.ScalarNode || !isPlain || !isAccountID(item.Value) {
			what := described(item) + " is not an account ID"
			if item.Tag == "!!int" && strings.Trim(item.Value, "0123456789") == "" {
				what = fmt.Sprintf("%s has %d digits, but an account ID has 12", shortened(item.Value), len(item.Value))
			}
			fix := `write the account's 12 digits in quotes, like "012345678901"`
			if id, ok := withoutDashes(item.Value); ok {
				fix = "write it as " + strconv.Quote(id)
			}
			if section := sectionFor(item.Value); section != "" && !strings.HasSuffix(item.Value, ":root") {
				fix = "write an entry of " + section + ": an account maps every identity in it"
			} else if item.Kind != yaml.ScalarNode || isNone(item) {
				fix = "remove it, or " + fix
			}
			r.drop(mapper.InvalidAccountID, mapAccounts, item, what, fix)
			continue
		}
		rule, column := r.rule(mapAccounts, item)
		accounts = append(accounts, mapper.Account{ID: item.Value, Rule: rule, Column: column})
	}
	return accounts
}

// checkKey reports a key that is probably meant to be a section. At is nil for a key
// of a ConfigMap, which has no line.
func (r *reading) checkKey(key string, at *yaml.Node) {
	const longest = 32
	if isSection(key) || len(key) > longest {
		return
	}
	const mapGroups = "mapGroups"
	what := fmt.Sprintf("unknown key %q: nothing under it applies", key)
	folded := strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(key)
	switch name := spelling.Within(maxTypos, folded, append(sectionNames(), mapGroups)); name {
	case "":
	case mapGroups:
		r.warn(mapper.UnknownSection, key, at, what+", since AWS does not return the IAM groups of a user",
			"map the users in mapUsers, or a role that the group may assume in mapRoles")
	default:
		r.warn(mapper.UnknownSection, key, at, what, "write "+name)
		if at != nil {
			r.suggest(at, mapper.Edit{Kind: mapper.Rename, Old: key, New: name})
		}
	}
}

func isAccountID(id string) bool { return len(id) == 12 && strings.Trim(id, "0123456789") == "" }
