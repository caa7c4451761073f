//go:build e2e

package compare

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

// The backends, by the names of --backend-mode.
const (
	mountedFile = "MountedFile"
	configMap   = "EKSConfigMap"
	dynamicFile = "DynamicFile"
	crd         = "CRD"
)

// A testCase is a file in testdata. The comment says what it is about. Its files:
//
//   - MountedFile, EKSConfigMap, DynamicFile, CRD: the input of a backend: the lists of
//     the configuration file, the data of the ConfigMap, the JSON, manifests.
//   - all: lists that become the input of each backend
//   - without: a backend that all leaves out
//   - config: more keys of server in the configuration file
//   - peerflags: more flags of the peer
//   - rejected: what the log of the peer says when it rejects the input as a whole, and so
//     maps nobody
//   - identities: one a line, as NAME ACCOUNT ARN USERID; every backend maps the first
//   - differs: one a line, as BACKEND[,BACKEND] NAME ROW, where the answers differ and
//     ROW is the start of a row in a table of differences
type testCase struct {
	name       string
	backends   []backend
	identities []identity
	// rejected is the line of the peer's log with which it rejects the input; empty if it
	// reads it.
	rejected string
	// differs are the starts of rows, by "BACKEND NAME".
	differs map[string]string
}

type backend struct {
	name, input, config string
	peerFlags           []string
}

type identity struct {
	sts.Identity
	name, key string
}

func readCase(t *testing.T, path string) *testCase {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &testCase{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), differs: map[string]string{}}
	var config string
	var peerFlags []string
	for _, file := range archive.Files {
		text := string(file.Data)
		switch file.Name {
		case mountedFile, configMap, dynamicFile, crd:
			c.backends = append(c.backends, backend{name: file.Name, input: text})
		case "all":
			c.backends = append(c.backends, everyBackend(t, text)...)
		case "without":
			c.backends = slices.DeleteFunc(c.backends, func(b backend) bool { return b.name == strings.TrimSpace(text) })
		case "config":
			config = text
		case "peerflags":
			peerFlags = strings.Fields(text)
		case "rejected":
			c.rejected = strings.TrimSpace(text)
		case "identities":
			for line := range strings.Lines(text) {
				fields := strings.Fields(line)
				if len(fields) != 4 {
					t.Fatalf("%s: identities: %q: expected NAME ACCOUNT ARN USERID", path, line)
				}
				c.identities = append(c.identities, identity{name: fields[0], Identity: sts.Identity{Account: fields[1], ARN: fields[2], UserID: fields[3]}})
			}
		case "differs":
			c.readDifferences(t, path, text)
		default:
			t.Fatalf("%s: unknown file %s", path, file.Name)
		}
	}
	if len(c.identities) == 0 || len(c.backends) == 0 {
		t.Fatalf("%s: no identities or no input", path)
	}
	for i := range c.backends {
		c.backends[i].config, c.backends[i].peerFlags = config, peerFlags
	}
	return c
}

func (c *testCase) readDifferences(t *testing.T, path, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(fields) != 3 || !slices.ContainsFunc(c.identities, func(i identity) bool { return i.name == fields[1] }) {
			t.Fatalf("%s: differs: %q: expected BACKEND NAME ROW after the identities", path, line)
		}
		for name := range strings.SplitSeq(fields[0], ",") {
			c.differs[name+" "+fields[1]] = fields[2]
		}
	}
}

// everyBackend returns the input of each backend with the same lists.
func everyBackend(t *testing.T, lists string) []backend {
	t.Helper()
	var sections struct {
		MapRoles    []entry  `json:"mapRoles"`
		MapUsers    []entry  `json:"mapUsers"`
		MapAccounts []string `json:"mapAccounts"`
	}
	if err := yaml.UnmarshalStrict([]byte(lists), &sections); err != nil {
		t.Fatalf("reading the lists: %v", err)
	}
	var data strings.Builder
	for section := range strings.SplitSeq("\n"+lists, "\nmap") {
		if name, list, found := strings.Cut(section, ":\n"); found {
			fmt.Fprintf(&data, "map%s: |\n%s\n", name, indent(list))
		}
	}
	handed, err := json.Marshal(map[string]any{
		"LastUpdatedDateTime": "1700000000", "Version": "1",
		"mapRoles": sections.MapRoles, "mapUsers": sections.MapUsers, "mapAccounts": sections.MapAccounts,
	})
	if err != nil {
		t.Fatal(err)
	}
	var objects strings.Builder
	for i, e := range append(sections.MapRoles, sections.MapUsers...) {
		object, err := yaml.Marshal(map[string]any{
			"apiVersion": "iamauthenticator.k8s.aws/v1alpha1", "kind": "IAMIdentityMapping",
			"metadata": map[string]string{"name": fmt.Sprintf("entry-%d", i)},
			"spec":     map[string]any{"arn": e.RoleARN + e.UserARN, "username": e.Username, "groups": e.Groups},
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&objects, "---\n%s", object)
	}
	return []backend{
		{name: mountedFile, input: lists}, {name: configMap, input: data.String()},
		{name: dynamicFile, input: string(handed)}, {name: crd, input: objects.String()},
	}
}

type entry struct {
	RoleARN  string   `json:"rolearn,omitempty"`
	UserARN  string   `json:"userarn,omitempty"`
	UserID   string   `json:"userid,omitempty"`
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}
