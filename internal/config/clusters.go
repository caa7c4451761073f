package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/spelling"
)

// maxClusters is the maximum number of clusters of one server.
const maxClusters = 1000

// A Cluster is an item of clusters: the settings of one cluster of a server that serves
// several.
type Cluster struct {
	ID   string
	Line int
	// Default means that the server serves the cluster without its ID in the path too.
	Default bool
	// Settings are the settings of the item. Their keys are those below server.
	Settings *File
	// Mappings is the node that holds the mappings; nil if there are none.
	Mappings *yaml.Node
	// Version changes with the content of the item.
	Version string
}

// clusterID matches the ID of a cluster, which has at most maxClusterID characters: a
// count in the pattern would take memory at every start.
var clusterID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`) })

const maxClusterID = 100

// clusterKeys returns the keys of an item besides id and default. Below server they have
// the same meaning.
func clusterKeys() []string {
	return []string{
		"awsAuthFile", "backendMode", "clientCAFile", "clientCertificateFile", "clientKeyFile", "clusterOwnerARNs",
		"dynamicBackendModePath", "dynamicFilePath", "dynamicFileUserIDStrict", "ec2DescribeInstancesBurst", "ec2DescribeInstancesQps",
		"ec2DescribeInstancesRoleARN", "generateKubeconfig", "kubeconfig", "mapAccounts", "mapRoles", "mapUsers", "master",
		"partition", "reservedPrefixConfig", "rolePaths", "scrubbedAccounts", "sourceARN", "stsRegions",
	}
}

// replaced returns the keys that a file with clusters must not have outside of their
// items: they would be ignored, although a guard or an owner may be meant. The CAs of the
// server's clients are for the clusters without their own.
func replaced() []string {
	keys := []string{"clusterID"}
	for _, key := range clusterKeys() {
		if key != "clientCAFile" {
			keys = append(keys, "server."+key)
		}
	}
	return keys
}

// readClusters reads the list of clusters.
func (r *reading) readClusters(name string, value *yaml.Node) error {
	if value.Kind != yaml.SequenceNode || len(value.Content) == 0 {
		return problemf(value, "write - id: ID for each cluster", "%s: expected a list of clusters, each with an id", name)
	}
	if len(value.Content) > maxClusters {
		return problemf(value, "run another server for the others", "%s: %d clusters are more than one server serves (at most %d)", name, len(value.Content), maxClusters)
	}
	for _, item := range value.Content {
		read, err := r.readCluster(item)
		if err != nil {
			return err
		}
		for _, other := range r.file.Clusters {
			switch {
			case other.ID == read.ID:
				return problemf(item, "give each cluster its own ID", "%s: the ID %q is on line %d already", name, read.ID, other.Line)
			case other.Default && read.Default:
				return problemf(item, "set default: true on one of them", "%s: clusters %q and %q are both the default", name, other.ID, read.ID)
			}
		}
		r.file.Clusters = append(r.file.Clusters, read)
		r.file.Warnings = append(r.file.Warnings, read.Settings.Warnings...)
	}
	return nil
}

func (r *reading) readCluster(item *yaml.Node) (*Cluster, error) {
	at := item
	item = resolve(item)
	if item.Kind != yaml.MappingNode {
		return nil, problemf(at, "write id: ID, with the ID that its tokens are signed for", "clusters: expected a mapping with the key id")
	}
	c := &Cluster{Line: at.Line}
	settings := reading{file: &File{}}
	seen := map[string]int{}
	for i := 0; i+1 < len(item.Content); i += 2 {
		key, value := item.Content[i], resolve(item.Content[i+1])
		lower := strings.ToLower(key.Value)
		if first, twice := seen[lower]; twice {
			return nil, problemf(key, "remove one of them", "clusters: %q is set on line %d already", key.Value, first)
		}
		seen[lower] = key.Line
		if err := settings.readClusterKey(c, key, value, item); err != nil {
			return nil, err
		}
	}
	if c.ID == "" {
		return nil, problemf(at, "add id: with the ID that its tokens are signed for", "clusters: the cluster has no id")
	}
	settings.file.HasMappings = settings.mappings != nil
	c.Settings, c.Mappings, c.Version = settings.file, settings.mappings, r.version(item)
	return c, nil
}

func (r *reading) readClusterKey(c *Cluster, key, value, item *yaml.Node) (err error) {
	switch lower := strings.ToLower(key.Value); {
	case lower == "id":
		if c.ID, err = stringValue(key.Value, value); err != nil {
			return err
		}
		if len(c.ID) > maxClusterID || !clusterID().MatchString(c.ID) {
			return problemf(value, "expected 1 to 100 letters, digits, dots, underscores and hyphens, the first a letter or a digit", "clusters: id %q cannot be in a URL path", c.ID)
		}
		return nil
	case lower == "default":
		if err := value.Decode(&c.Default); err != nil || value.Kind != yaml.ScalarNode {
			return problemf(value, "write true or false", "clusters: default: expected true or false")
		}
		return nil
	case slices.ContainsFunc(clusterKeys(), func(known string) bool { return strings.EqualFold(known, key.Value) }):
		return r.readKey("server."+key.Value, key, value, item)
	case settings()["server."+lower].flag != "":
		return problemf(key, "write it below server, for all clusters", "clusters: %q is not a setting of one cluster", key.Value)
	default:
		if err := mergeKey(key); err != nil {
			return err
		}
		known := append([]string{"id", "default"}, clusterKeys()...)
		if nearest := spelling.Nearest(key.Value, known); nearest != "" {
			return problemf(key, "did you mean "+nearest+"?", "clusters: unknown key %q", key.Value)
		}
		return problemf(key, "supported: "+strings.Join(known, ", "), "clusters: unknown key %q", key.Value)
	}
}

// checkClusters returns an error if the file also has the settings of a single cluster.
func (r *reading) checkClusters() error {
	if len(r.file.Clusters) == 0 {
		return nil
	}
	for _, key := range replaced() {
		if at, ok := r.keys[strings.ToLower(key)]; ok {
			return problemf(at, "move it into the items of clusters", "%s has no effect in a file with clusters", key)
		}
	}
	return nil
}

// version returns a hash of an item. The lines of mappings are part of it, since rules
// name them; other lines are not, so that a new cluster leaves those below it alone. An
// item with an alias has another version in every version of the file: what it refers to
// is elsewhere.
func (r *reading) version(item *yaml.Node) string {
	h := sha256.New()
	for i := 0; i+1 < len(item.Content); i += 2 {
		key := item.Content[i]
		r.hash(h, key, false)
		r.hash(h, item.Content[i+1], strings.HasPrefix(strings.ToLower(key.Value), "map"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (r *reading) hash(h hash.Hash, node *yaml.Node, lines bool) {
	line := 0
	if lines {
		line = node.Line
	}
	fmt.Fprintf(h, "%d %q %q %d %d\n", node.Kind, node.ShortTag(), node.Value, line, len(node.Content))
	for _, child := range node.Content {
		r.hash(h, child, lines)
	}
	if node.Kind == yaml.AliasNode {
		h.Write(r.sum[:])
	}
}
