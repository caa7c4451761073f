package lint

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/spelling"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Kind is the kind of a file.
type Kind string

// The kinds of file.
const (
	Manifest     Kind = "ConfigMap"
	Objects      Kind = "IAMIdentityMapping"
	Mappings     Kind = "Mappings"
	DynamicFile  Kind = "DynamicFile"
	ServerConfig Kind = "ServerConfig"
	Kubeconfig   Kind = "Kubeconfig"
)

// String returns the kind in words.
func (k Kind) String() string {
	switch k {
	case Manifest:
		return "a ConfigMap aws-auth"
	case Objects:
		return "manifests of IAMIdentityMappings"
	case Mappings:
		return "a file of mappings"
	case DynamicFile:
		return "a file of mappings in JSON, as for the backend DynamicFile"
	case ServerConfig:
		return "a configuration file of the server"
	case Kubeconfig:
		return "a kubeconfig"
	default:
		return string(k)
	}
}

const expected = "expected a ConfigMap aws-auth, IAMIdentityMappings, a file with mapRoles, mapUsers or mapAccounts, a configuration file of the server, or a kubeconfig"

// Detect returns the kind of a file. The error says that it is of another kind.
func Detect(content []byte) (Kind, error) {
	kind, _, err := detect(string(content))
	return kind, err
}

// detect returns the kind of a file and its root; root is nil if the file does not parse.
func detect(content string) (Kind, *yaml.Node, error) {
	root, _, err := awsauth.ParseYAML(content)
	if err != nil {
		if kind := guess(content); kind != "" {
			return kind, nil, nil // reading it as that kind reports the error
		}
		return "", nil, fmt.Errorf("%w (%s)", err, expected)
	}
	if hasIdentityMapping(content, root) {
		return Objects, root, nil
	}
	if root == nil || root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return "", nil, errors.New("the file is empty: " + expected)
	}
	if root.Kind != yaml.MappingNode {
		return "", nil, errors.New("the file is not a mapping: " + expected)
	}
	kind := field(root, "kind")
	switch {
	case kind != nil && kind.Value == "ConfigMap":
		return Manifest, root, nil
	case kind != nil && kind.Value == "Config":
		return Kubeconfig, root, nil
	case kind != nil:
		return "", nil, fmt.Errorf("line %d: the file is the manifest of a %q: %s", kind.Line, kind.Value, expected)
	case hasMappings(root) || hasMappings(field(root, "data")):
		if isDynamicFile(root) {
			return DynamicFile, root, nil
		}
		return Mappings, root, nil
	case hasAny(root, "users", "contexts"):
		return Kubeconfig, root, nil
	case hasAny(root, "server", "clusterid") || hasClusters(root):
		return ServerConfig, root, nil
	case hasAny(root, "clusters"):
		return Kubeconfig, root, nil
	}
	return "", nil, errors.New("the kind of the file is unknown: " + expected)
}

// hasClusters reports whether a file has the clusters of a server, which have IDs. Those of
// a kubeconfig have names.
func hasClusters(root *yaml.Node) bool {
	for key, list := range keys(root) {
		if strings.EqualFold(key, "clusters") && slices.ContainsFunc(list.Content, func(item *yaml.Node) bool { return hasAny(item, "id") }) {
			return true
		}
	}
	return false
}

// isDynamicFile reports whether a file of mappings is JSON with lists. Text instead of a
// list is the data of a ConfigMap.
func isDynamicFile(root *yaml.Node) bool {
	for key, section := range keys(root) {
		if strings.EqualFold(key, "data") || section.Kind == yaml.ScalarNode && spelling.Within(2, key, sections()) != "" {
			return false
		}
	}
	return root.Style&yaml.FlowStyle != 0 && root.Content[0].Style&yaml.DoubleQuotedStyle != 0
}

// guess returns the kind of a file that does not parse, by the lines that it has.
func guess(content string) Kind {
	switch {
	case regexp.MustCompile(`(?m)^kind: *` + identityMapping + `\b`).MatchString(content):
		return Objects
	case regexp.MustCompile(`(?m)^kind: *ConfigMap\b`).MatchString(content):
		return Manifest
	case regexp.MustCompile(`(?mi)^((server|clusterID):| *- id:)`).MatchString(content):
		return ServerConfig
	case regexp.MustCompile(`(?m)^(kind: *Config|users:|contexts:|current-context:)`).MatchString(content):
		return Kubeconfig
	case regexp.MustCompile(`(?i)^\s*\{\s*"([^"]*"[^{}\[\]]*,\s*")*(mapRoles|mapUsers|mapAccounts)"\s*:`).MatchString(content):
		return DynamicFile
	case regexp.MustCompile(`(?m)^\s*"?(mapRoles|mapUsers|mapAccounts)"?:`).MatchString(content):
		return Mappings
	}
	return ""
}

func sections() []string { return []string{"mapRoles", "mapUsers", "mapAccounts"} }

// hasMappings reports whether a mapping has a section of aws-auth, or a near miss.
func hasMappings(node *yaml.Node) bool {
	for key := range keys(node) {
		if spelling.Within(2, key, sections()) != "" {
			return true
		}
	}
	return false
}

func hasAny(node *yaml.Node, names ...string) bool {
	for key := range keys(node) {
		for _, name := range names {
			if strings.EqualFold(key, name) {
				return true
			}
		}
	}
	return false
}
