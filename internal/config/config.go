// Package config reads the configuration file of the authenticator. The format is
// aws-iam-authenticator's: YAML or JSON, with keys in any case.
//
// Most keys set flags; the mappings and a few others have no flag.
package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/spelling"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// File is a parsed configuration file. The zero value is an empty file.
type File struct {
	// Values are the values of the keys that set flags, in the file's order.
	Values []Value
	// HasMappings is set if the file has mapRoles, mapUsers or mapAccounts, even if
	// empty.
	HasMappings bool
	// ScrubbedAccounts are the accounts with identities that are never logged.
	ScrubbedAccounts []string
	// ReservedPrefixes are the prefixes that usernames must not start with.
	ReservedPrefixes []ReservedPrefixes
	// EC2RoleARN is the role to assume to describe instances; SourceARN protects that
	// role against use on behalf of others.
	EC2RoleARN, SourceARN string
	// Clusters are the clusters of a server that serves several.
	Clusters []*Cluster
	// Warnings are about keys and values that are accepted but have no effect.
	Warnings []*Problem
}

// A Problem is an error or a warning, with its place in the file.
type Problem struct {
	Line, Column int
	Err          error
	// Fix says what to write instead.
	Fix string
}

func (p *Problem) Error() string { return fmt.Sprintf("line %d: %v (%s)", p.Line, p.Err, p.Fix) }
func (p *Problem) Unwrap() error { return p.Err }

func problemf(at *yaml.Node, fix, format string, args ...any) *Problem {
	return &Problem{at.Line, at.Column, fmt.Errorf(format, args...), fix}
}

// Value is the value of a key that sets a flag.
type Value struct {
	// Key is the key as the file spells it. Line and Column are the place of the value.
	Key          string
	Line, Column int
	// Flag is the flag to set, and Command the command to set it for; empty means
	// every command that has the flag.
	Flag, Command string
	// Text is the value as it would be given to the flag.
	Text string
}

// ReservedPrefixes are prefixes that the usernames of a source must not have.
type ReservedPrefixes struct {
	Source   string
	Line     int
	Prefixes []string
}

// ReservedSource takes the place of a flag in the values of [File.ReservedSources].
const ReservedSource = "reserved-source"

// ReservedSources returns the sources of the reserved prefixes as values, to check them.
func (f *File) ReservedSources() (values []Value) {
	for _, reserved := range f.ReservedPrefixes {
		values = append(values, Value{Key: "server.reservedPrefixConfig", Line: reserved.Line, Flag: ReservedSource, Text: reserved.Source})
	}
	return values
}

// Parse parses a configuration file. An unknown key is an error: otherwise a misspelt
// key would leave a guard off. The error is a [*Problem] or an [*awsauth.SyntaxError],
// unless the file is too large.
//
// It also returns the node that holds the mappings, nil if there are none. The node is
// not in the File, which is kept, since a large file has very many nodes.
func Parse(content []byte) (*File, *yaml.Node, error) {
	root, unread, err := awsauth.ParseYAML(string(content))
	if err != nil {
		return nil, nil, err
	}
	r := reading{file: &File{}, sum: sha256.Sum256(content), keys: map[string]*yaml.Node{}}
	if unread != nil {
		r.file.Warnings = append(r.file.Warnings, &Problem{unread.Line, unread.Column, errors.New(unread.Cause), unread.Fix})
	}
	if root != nil {
		if err = r.readMap(root, ""); err == nil {
			err = r.checkClusters()
		}
	}
	r.file.HasMappings = r.mappings != nil
	return r.file, r.mappings, err
}

// A reading collects the content of a file.
type reading struct {
	file     *File
	mappings *yaml.Node
	sum      [sha256.Size]byte // of the file
	// keys are those of the file, by their full names in lower case.
	keys map[string]*yaml.Node
}

func (r *reading) readMap(node *yaml.Node, prefix string) error {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return problemf(node, "write KEY: VALUE", "expected a mapping")
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], resolve(node.Content[i+1])
		name := prefix + key.Value
		lower := strings.ToLower(name)
		if strings.Contains(key.Value, ".") {
			return unknownKey(key, name)
		}
		if first, twice := seen[lower]; twice {
			return problemf(key, "remove one of them", "%q is set on line %d already", name, first)
		}
		seen[lower], r.keys[lower] = key.Line, key
		if err := r.readKey(name, key, value, node); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) readKey(name string, key, value, parent *yaml.Node) (err error) {
	lower := strings.ToLower(name)
	if s, ok := settings()[lower]; ok {
		text, err := flagText(name, value)
		if err != nil {
			return err
		}
		if s.flag == "backend-mode" && value.Kind == yaml.ScalarNode {
			text = strings.Join(strings.Fields(text), ",") // aws-iam-authenticator accepts a list with spaces
		}
		r.file.Values = append(r.file.Values, Value{Key: name, Line: value.Line, Column: value.Column, Flag: s.flag, Command: s.command, Text: text})
		return nil
	}
	if instead, ok := withoutEffect()[lower]; ok {
		r.file.Warnings = append(r.file.Warnings, problemf(key, instead, "%s has no effect, as in aws-iam-authenticator", name))
		return nil
	}
	switch lower {
	case "clusters":
		return r.readClusters(name, value)
	case "server":
		return r.readMap(value, "server.")
	case "server.maproles", "server.mapusers", "server.mapaccounts":
		r.mappings = parent
	case "server.scrubbedaccounts":
		return r.readScrubbedAccounts(name, value)
	case "server.reservedprefixconfig":
		return r.file.readReservedPrefixes(name, value)
	case "server.ec2describeinstancesrolearn":
		r.file.EC2RoleARN, err = stringValue(name, value)
	case "server.sourcearn":
		r.file.SourceARN, err = stringValue(name, value)
	default:
		return unknownKey(key, name)
	}
	return err
}

// readScrubbedAccounts reads a list, or the accounts as one text, which
// aws-iam-authenticator accepts too. A misspelt account is a warning, since its
// identities would be logged.
func (r *reading) readScrubbedAccounts(name string, value *yaml.Node) error {
	accounts, err := stringList(name, value)
	if value.Kind == yaml.ScalarNode {
		var text string
		text, err = stringValue(name, value)
		accounts = strings.Fields(text)
	}
	for _, account := range accounts {
		if len(account) != 12 || strings.Trim(account, "0123456789") != "" {
			r.file.Warnings = append(r.file.Warnings, problemf(value, "write the 12 digits of an account", "%s: %q has no effect: it is not an account", name, account))
		}
	}
	r.file.ScrubbedAccounts = accounts
	return err
}

func unknownKey(key *yaml.Node, name string) error {
	if err := mergeKey(key); err != nil {
		return err
	}
	if parent, child, ok := strings.Cut(key.Value, "."); ok {
		return problemf(key, fmt.Sprintf("write %q below %q", child, parent), "unknown key %q: a key cannot contain a dot", key.Value)
	}
	if place := misplaced(name); place != "" {
		return problemf(key, place, "unknown key %q", name)
	}
	if nearest := spelling.Nearest(name, spelled()); nearest != "" {
		return problemf(key, fmt.Sprintf("did you mean %s?", nearest), "unknown key %q", name)
	}
	return problemf(key, "remove it", "unknown key %q", name)
}

// mergeKey returns an error for YAML's merge key; nil for any other key.
func mergeKey(key *yaml.Node) error {
	if key.Value != "<<" {
		return nil
	}
	return problemf(key, "write the keys out", "YAML's merge key is not supported")
}

// misplaced says where a key belongs that is on the wrong level of the file.
func misplaced(name string) string {
	name = name[strings.LastIndexByte(name, '.')+1:]
	for _, known := range spelled() {
		switch parent, child, nested := strings.Cut(known, "."); {
		case nested && strings.EqualFold(child, name):
			return fmt.Sprintf("write %q below %q", child, parent)
		case !nested && strings.EqualFold(known, name):
			return fmt.Sprintf("write %q at the top level", known)
		}
	}
	return ""
}

const reservedPrefixFix = "write backendMode: SOURCE and usernamePrefixReserveList: [PREFIX, …]"

// readReservedPrefixes reads a list. Like aws-iam-authenticator, it also accepts a
// single item instead of a list, and prefixes separated by commas in one text.
func (f *File) readReservedPrefixes(name string, value *yaml.Node) error {
	list := value.Content
	if value.Kind != yaml.SequenceNode {
		list = []*yaml.Node{value}
	}
	if value.Kind == yaml.ScalarNode && (value.Value == "" || value.Tag == "!!null") {
		list = nil
	}
	for _, item := range list {
		item = resolve(item)
		if item.Kind != yaml.MappingNode {
			return problemf(item, reservedPrefixFix, "%s: expected a mapping with backendMode and usernamePrefixReserveList", name)
		}
		reserved := ReservedPrefixes{Line: item.Line}
		for i := 0; i+1 < len(item.Content); i += 2 {
			key, value := item.Content[i], resolve(item.Content[i+1])
			var err error
			switch strings.ToLower(key.Value) {
			case "backendmode":
				reserved.Source, err = stringValue(key.Value, value)
			case "usernameprefixreservelist":
				if value.Kind == yaml.ScalarNode && value.Tag != "!!null" {
					for prefix := range strings.SplitSeq(value.Value, ",") {
						reserved.Prefixes = append(reserved.Prefixes, strings.TrimSpace(prefix))
					}
				} else if value.Kind != yaml.ScalarNode {
					reserved.Prefixes, err = stringList(key.Value, value)
				}
			default:
				err = fmt.Errorf("unknown key %q", key.Value)
			}
			if err != nil {
				return problemf(key, reservedPrefixFix, "%s: %w", name, err)
			}
		}
		if reserved.Source == "" || len(reserved.Prefixes) == 0 || slices.Contains(reserved.Prefixes, "") {
			return problemf(item, reservedPrefixFix, "%s: backendMode and usernamePrefixReserveList must not be empty", name)
		}
		f.ReservedPrefixes = append(f.ReservedPrefixes, reserved)
	}
	return nil
}

// flagText returns a value as it would be given to a flag.
func flagText(name string, value *yaml.Node) (string, error) {
	if value.Kind == yaml.SequenceNode {
		list, err := stringList(name, value)
		return strings.Join(list, ","), err
	}
	if value.Kind == yaml.MappingNode {
		return "", problemf(value, "write a value, or [VALUE, …]", "%s: expected a value or a list of values", name)
	}
	return stringValue(name, value)
}

func stringValue(name string, value *yaml.Node) (string, error) {
	if value.Kind != yaml.ScalarNode {
		return "", problemf(value, "write a text, a number, true or false", "%s: expected one value", name)
	}
	if value.Tag == "!!null" {
		return "", nil
	}
	return value.Value, nil
}

func stringList(name string, value *yaml.Node) ([]string, error) {
	if value.Kind != yaml.SequenceNode {
		return nil, problemf(value, "write [VALUE, …]", "%s: expected a list", name)
	}
	var list []string
	for _, item := range value.Content {
		text, err := stringValue(name, resolve(item))
		if err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, nil
}

// resolve returns what an alias refers to, and any other node unchanged.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// Rest returns the values of all keys except the mappings, as text.
func (f *File) Rest() map[string]string {
	rest := map[string]string{
		"server.ec2DescribeInstancesRoleARN": f.EC2RoleARN,
		"server.reservedPrefixConfig":        "",
		"server.scrubbedAccounts":            strings.Join(f.ScrubbedAccounts, ","),
		"server.sourceARN":                   f.SourceARN,
	}
	for _, reserved := range f.ReservedPrefixes {
		rest["server.reservedPrefixConfig"] += fmt.Sprintf("%s: %q\n", reserved.Source, reserved.Prefixes)
	}
	for _, value := range f.Values {
		rest[value.Key] = value.Text
	}
	return rest
}
