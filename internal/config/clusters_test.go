package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestClusters checks that an item has the keys that server has, and that its problems
// name their lines and what to do.
func TestClusters(t *testing.T) {
	long := strings.Repeat("x", 100)
	for name, test := range map[string]struct{ text, want string }{
		"some":                    {"[{id: blue, default: true, stsRegions: [eu-west-2]}, {ID: green, mapRoles: []}]", "blue default [sts-region=eu-west-2], green mappings []"},
		"a client CA":             {"[{id: blue, clientCAFile: ca.crt}]", "blue [client-ca-file=ca.crt]"},
		"the longest ID":          {"[{id: " + long + "}]", long + " []"},
		"every kind of character": {"[{id: 0.A_b-c}]", "0.A_b-c []"},
		"a digit":                 {"[{id: 7}]", "7 []"},
		"IDs in another case":     {"[{id: blue}, {id: Blue}]", "blue [], Blue []"},
		"no list":                 {"{id: blue}", "line 1: clusters: expected a list of clusters, each with an id"},
		"none":                    {"[]", "line 1: clusters: expected a list of clusters, each with an id"},
		"no mapping":              {"[blue]", "line 1: clusters: expected a mapping with the key id"},
		"no ID":                   {"[{default: true}]", "line 1: clusters: the cluster has no id (add id: with the ID that its tokens are signed for)"},
		"an empty ID":             {"[{id: ''}]", `line 1: clusters: id "" cannot be in a URL path (expected 1 to 100 letters`},
		"a longer ID":             {"[{id: x" + long + "}]", "cannot be in a URL path"},
		"a slash":                 {"[{id: a/b}]", `id "a/b" cannot be in a URL path`},
		"a dot at first":          {"[{id: ..}]", `id ".." cannot be in a URL path`},
		"a letter that is not A":  {"[{id: blå}]", "cannot be in a URL path"},
		"a line feed":             {`[{id: "a\n"}]`, "cannot be in a URL path"},
		"two of one ID":           {"\n- id: blue\n- id: green\n- id: blue\n", `line 4: clusters: the ID "blue" is on line 2 already (give each cluster its own ID)`},
		"two defaults":            {"\n- {id: blue, default: true}\n- {id: green, default: true}\n", `line 3: clusters: clusters "blue" and "green" are both the default (set default: true on one of them)`},
		"no boolean":              {"[{id: blue, default: [true]}]", "line 1: clusters: default: expected true or false"},
		"an unknown key":          {"\n- id: blue\n  backendmodes: []\n", "line 3: clusters: unknown key \"backendmodes\" (did you mean backendMode?)"},
		"a key of the server":     {"\n- id: blue\n  port: 1\n", "line 3: clusters: \"port\" is not a setting of one cluster (write it below server, for all clusters)"},
		"a key twice":             {"\n- id: blue\n  master: a\n  Master: b\n", "line 4: clusters: \"Master\" is set on line 3 already"},
		"an invalid value":        {"\n- id: blue\n  scrubbedAccounts: {}\n", "line 3: server.scrubbedAccounts: expected a list"},
	} {
		read, _, err := Parse([]byte("clusters: " + test.text + "\n"))
		got := fmt.Sprint(err)
		if err == nil {
			var all []string
			for _, c := range read.Clusters {
				text := c.ID
				if c.Default {
					text += " default"
				}
				if c.Settings.HasMappings && c.Mappings != nil {
					text += " mappings"
				}
				var values []string
				for _, value := range c.Settings.Values {
					values = append(values, value.Flag+"="+value.Text)
				}
				all = append(all, fmt.Sprint(text, " ", values))
			}
			got = strings.Join(all, ", ")
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// TestClustersAreBounded checks the most clusters of a file, and one more.
func TestClustersAreBounded(t *testing.T) {
	text := "clusters:\n"
	for n := range maxClusters {
		text += fmt.Sprintf("- id: c%d\n", n)
	}
	if read, _, err := Parse([]byte(text)); err != nil || len(read.Clusters) != maxClusters {
		t.Errorf("%d clusters: %v", maxClusters, err)
	}
	if _, _, err := Parse([]byte(text + "- id: more\n")); err == nil || !strings.Contains(err.Error(), "1001 clusters are more than one server serves (at most 1000)") {
		t.Errorf("one more: %v", err)
	}
}

// TestClustersReplaceTheSingleOne checks that the settings of a single cluster, which would
// be ignored, are errors beside clusters.
func TestClustersReplaceTheSingleOne(t *testing.T) {
	for text, want := range map[string]string{
		"clusterID: c\n":                     "line 2: clusterID has no effect in a file with clusters (move it into the items of clusters)",
		"server:\n  clusterOwnerARNs: [a]\n": "line 3: server.clusterOwnerARNs has no effect",
		"server:\n  MAPROLES: []\n":          "line 3: server.mapRoles has no effect",
		"server:\n  port: 1\n":               "<nil>",
		"server:\n  clientCAFile: ca.crt\n":  "<nil>",
	} {
		if _, _, err := Parse([]byte("clusters: [{id: blue}]\n" + text)); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestVersion checks which edits of a file change a cluster.
func TestVersion(t *testing.T) {
	const before = "clusters:\n- id: blue\n  master: a\n- id: green\n  mapUsers: [{userarn: x}]\n- id: red\n  kubeconfig: &k a\n- id: gray\n  master: *k\n"
	for name, test := range map[string]struct{ old, new, changed string }{
		"nothing":                            {"", "", ""},
		"a value":                            {"master: a", "master: b", "blue gray"},
		"a key":                              {"master: a", "kubeconfig: a", "blue gray"},
		"the type of a value":                {"master: a", "master: [a]", "blue gray"},
		"a comment":                          {"master: a", "master: a # it", "gray"},
		"a mapping":                          {"userarn: x", "userarn: y", "green gray"},
		"the line of a mapping":              {"- id: blue\n", "- id: blue\n\n", "green gray"},
		"a new cluster before":               {"- id: blue\n", "- id: new\n- id: blue\n", "green gray"},
		"what an alias refers to, elsewhere": {"&k a", "&k b", "red gray"},
	} {
		versions := map[string]string{}
		for _, text := range []string{before, strings.Replace(before, test.old, test.new, 1)} {
			read, _, err := Parse([]byte(text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, c := range read.Clusters {
				versions[c.ID] += " " + c.Version
			}
		}
		var changed []string
		for _, id := range []string{"blue", "green", "red", "gray"} {
			if v := strings.Fields(versions[id]); v[0] != v[1] {
				changed = append(changed, id)
			}
		}
		if got := strings.Join(changed, " "); got != test.changed {
			t.Errorf("%s changes %q, want %q", name, got, test.changed)
		}
	}
}
