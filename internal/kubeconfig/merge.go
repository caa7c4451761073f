package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An Entry is a context of a kubeconfig for people, with its cluster and its user.
type Entry struct {
	Context string
	// ClusterName and UserName are the names of the entries; Cluster and User their
	// content.
	ClusterName, UserName string
	Cluster               Cluster
	User                  User
}

// Cluster is how to reach a cluster.
type Cluster struct {
	Server        string `yaml:"server"`
	CAData        string `yaml:"certificate-authority-data,omitempty"` // base64
	TLSServerName string `yaml:"tls-server-name,omitempty"`
	ProxyURL      string `yaml:"proxy-url,omitempty"`
	// InsecureSkipTLSVerify, DisableCompression and Extensions are those of the cluster that
	// is copied.
	InsecureSkipTLSVerify bool        `yaml:"insecure-skip-tls-verify,omitempty"`
	DisableCompression    bool        `yaml:"disable-compression,omitempty"`
	Extensions            []Extension `yaml:"extensions,omitempty"`
}

// An Extension is what another program keeps in an entry.
type Extension struct {
	Name    string `yaml:"name"`
	Content JSON   `yaml:"extension"`
}

// JSON is text in JSON. In a kubeconfig it is YAML.
type JSON []byte

// MarshalYAML implements [yaml.Marshaler].
func (j JSON) MarshalYAML() (any, error) {
	var value any
	err := yaml.Unmarshal(j, &value)
	return value, err
}

// User is a user who signs in with a credential plugin.
type User struct {
	Exec Exec `yaml:"exec"`
}

// Exec is a credential plugin.
type Exec struct {
	APIVersion         string   `yaml:"apiVersion"`
	Command            string   `yaml:"command"`
	Args               []string `yaml:"args"`
	InteractiveMode    string   `yaml:"interactiveMode"`
	ProvideClusterInfo bool     `yaml:"provideClusterInfo"`
	InstallHint        string   `yaml:"installHint,omitempty"`
}

// Merge returns the text of a kubeconfig with the entry in it, as the current context.
// It replaces entries of the same names, but for what a user adds to a context, such
// as the namespace. All other content keeps its order and comments. It reports whether
// the context is new. A user with credentials that are nowhere else is not replaced: tools
// such as kops and kind give the administrator the name of the cluster.
func Merge(text []byte, e Entry) (merged []byte, added bool, err error) {
	document, err := parse(text)
	if err != nil {
		return nil, false, err
	}
	root := document.Content[0]
	if only := onlyCredentials(root, e.UserName); len(only) > 0 {
		return nil, false, fmt.Errorf("user %q has other credentials, which would be lost: %s (name another user with --user-alias)", e.UserName, strings.Join(only, ", "))
	}
	var steps []error
	set := func(list, name, kind string, content any, keep bool) (added bool) {
		added, err := setNamed(root, list, name, kind, content, keep)
		steps = append(steps, err)
		return added
	}
	set("clusters", e.ClusterName, "cluster", e.Cluster, false)
	added = set("contexts", e.Context, "context", map[string]string{"cluster": e.ClusterName, "user": e.UserName}, true)
	set("users", e.UserName, "user", e.User, false)
	steps = append(steps, setField(root, "current-context", e.Context))
	if err := errors.Join(steps...); err != nil {
		return nil, false, err
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	encoder.CompactSeqIndent()
	if err := errors.Join(encoder.Encode(document), encoder.Close()); err != nil {
		return nil, false, fmt.Errorf("encoding the kubeconfig: %w", err)
	}
	// An alias may have lost its anchor.
	if _, err := parse(out.Bytes()); err != nil {
		return nil, false, fmt.Errorf("the merged kubeconfig would not parse: %w", err)
	}
	return out.Bytes(), added, nil
}

// Has reports whether a kubeconfig has a cluster of this name.
func Has(text []byte, cluster string) bool {
	document, err := parse(text)
	if err != nil {
		return false
	}
	list := field(document.Content[0], "clusters")
	return list != nil && named(list, cluster) != nil
}

// onlyCredentials returns the fields of a user that are credentials themselves: no path, and
// no plugin. A certificate without its key is one too if the key is in a file.
func onlyCredentials(root *yaml.Node, user string) (fields []string) {
	content := contentOf(root, "users", user, "user")
	if content == nil {
		return nil
	}
	names := []string{"client-key-data", "token", "password", "auth-provider"}
	if hasValue(content, "client-key") {
		names = append(names, "client-certificate-data")
	}
	for _, name := range names {
		if hasValue(content, name) {
			fields = append(fields, name)
		}
	}
	return fields
}

// hasValue reports whether a field of a mapping is there and is not empty.
func hasValue(mapping *yaml.Node, name string) bool {
	value := field(mapping, name)
	return value != nil && value.Tag != "!!null" && (value.Value != "" || len(value.Content) > 0)
}

// Sharing returns the other contexts with the entry's user, if a merge would change that
// user.
func Sharing(text []byte, e Entry) (contexts []string) {
	document, err := parse(text)
	if err != nil {
		return nil
	}
	root := document.Content[0]
	user, list := contentOf(root, "users", e.UserName, "user"), field(root, "contexts")
	if user == nil || list == nil {
		return nil
	}
	var next yaml.Node
	_ = next.Encode(e.User) // Merge returns the error
	if reflect.DeepEqual(meaning(user), meaning(&next)) {
		return nil
	}
	for _, element := range list.Content {
		name, context := field(element, "name"), field(element, "context")
		if name == nil || context == nil || name.Value == e.Context {
			continue
		}
		if its := field(context, "user"); its != nil && its.Value == e.UserName {
			contexts = append(contexts, name.Value)
		}
	}
	return contexts
}

// meaning returns what a node says, however it is written: kubectl sorts the fields, and
// adds null for some that are not there.
func meaning(node *yaml.Node) any {
	var value any
	_ = node.Decode(&value) // what does not decode means nothing that a merge writes
	return withoutNull(value)
}

// withoutNull removes the fields of mappings that are null.
func withoutNull(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			if field == nil {
				delete(value, name)
			} else {
				value[name] = withoutNull(field)
			}
		}
	case []any:
		for i := range value {
			value[i] = withoutNull(value[i])
		}
	}
	return value
}

// parse returns the document of a kubeconfig, which has a mapping at its root.
func parse(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	document := &yaml.Node{Kind: yaml.DocumentNode}
	if err := decoder.Decode(document); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has more than one YAML document: expected one")
	}
	if len(document.Content) == 0 || document.Content[0].Tag == "!!null" { // empty, or comments only
		root := &yaml.Node{Kind: yaml.MappingNode}
		document.Content = []*yaml.Node{root}
		return document, errors.Join(setField(root, "apiVersion", "v1"), setField(root, "kind", "Config"))
	}
	if document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("it is not a mapping: expected a kubeconfig")
	}
	return document, nil
}

// setNamed sets the content of an element of a list, by the element's name. With keep,
// it sets only the fields that the content has.
func setNamed(root *yaml.Node, list, name, kind string, content any, keep bool) (added bool, err error) {
	elements := field(root, list)
	if elements == nil || elements.Tag == "!!null" {
		if err := setField(root, list, []string{}); err != nil {
			return false, err
		}
		elements = field(root, list)
		elements.Style = 0
	}
	if elements.Kind != yaml.SequenceNode {
		return false, fmt.Errorf("line %d: %s is not a list", elements.Line, list)
	}
	if len(elements.Content) == 0 {
		elements.Style = 0 // not [] any more
	}
	element := named(elements, name)
	if element == nil {
		element = &yaml.Node{Kind: yaml.MappingNode}
		elements.Content = append(elements.Content, element)
		added = true
		if err := setField(element, "name", name); err != nil {
			return false, err
		}
	}
	old := field(element, kind)
	if !keep || old == nil || old.Kind != yaml.MappingNode {
		return added, setField(element, kind, content)
	}
	var fields yaml.Node
	if err := fields.Encode(content); err != nil {
		return false, err
	}
	for i := 0; i+1 < len(fields.Content); i += 2 {
		if err := setField(old, fields.Content[i].Value, fields.Content[i+1]); err != nil {
			return false, err
		}
	}
	return added, nil
}

// contentOf returns the content of an element of a list, by the element's name; nil if
// there is none.
func contentOf(root *yaml.Node, list, name, kind string) *yaml.Node {
	elements := field(root, list)
	if elements == nil {
		return nil
	}
	element := named(elements, name)
	if element == nil {
		return nil
	}
	return field(element, kind)
}

// named returns the element of a list with a name; nil if there is none.
func named(list *yaml.Node, name string) *yaml.Node {
	for _, element := range list.Content {
		if found := field(element, "name"); found != nil && found.Value == name {
			return element
		}
	}
	return nil
}

// field returns the value of a mapping's field; nil if there is none.
func field(mapping *yaml.Node, name string) *yaml.Node {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// setField sets the value of a mapping's field.
func setField(mapping *yaml.Node, name string, value any) error {
	var node yaml.Node
	if err := node.Encode(value); err != nil {
		return err
	}
	if old := field(mapping, name); old != nil {
		node.HeadComment, node.LineComment, node.FootComment = old.HeadComment, old.LineComment, old.FootComment
		*old = node
		return nil
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, &node)
	return nil
}
