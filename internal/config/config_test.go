package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"weak"
)

// TestFileKeepsNoNodes checks that a File, which lives as long as the server, does not
// keep the nodes of the mappings alive: they take many times the memory of the text.
func TestFileKeepsNoNodes(t *testing.T) {
	file, mappings, err := Parse([]byte("clusterID: c\nserver:\n  mapUsers:\n  - userarn: x\n"))
	if err != nil || mappings == nil || !file.HasMappings {
		t.Fatalf("%v, %v, %v", file, mappings, err)
	}
	node := weak.Make(mappings)
	runtime.GC()
	if node.Value() != nil {
		t.Error("the nodes of the mappings are still reachable")
	}
	runtime.KeepAlive(file)
}

// TestUnreadText checks that text after the first YAML document is reported.
func TestUnreadText(t *testing.T) {
	for name, test := range map[string]struct{ text, warning string }{
		"nothing":                               {"---\nclusterID: c\n...\n# the end\n", ""},
		"a second document":                     {"# first\nclusterID: c\n---\nserver:\n  mapAccounts: []\n", "line 3: a second YAML document starts here, but only the first one is read (remove the line ---"},
		"a second document that does not parse": {"clusterID: c\n---\n[\n", "line 2: a second YAML document"},
		"a first document that is empty":        {"---\n---\nclusterID: c\n", "line 2: a second YAML document"},
		"a line indented less than the first":   {"  clusterID: c\nserver:\n  port: 1\n", "line 2: this line is indented by 0 spaces, but line 1, which it seems to belong with, by 2, and nothing below it is read (indent"},
	} {
		file, mappings, err := Parse([]byte(test.text))
		if err != nil || mappings != nil {
			t.Errorf("%s: mappings %v, error %v", name, mappings, err)
			continue
		}
		var warnings []string
		for _, warning := range file.Warnings {
			warnings = append(warnings, warning.Error())
		}
		if got := strings.Join(warnings, " "); !strings.HasPrefix(got, test.warning) || (got == "") != (test.warning == "") {
			t.Errorf("%s: warnings %q, want %q", name, got, test.warning)
		}
	}
}

// TestReservedPrefixes checks lists, and the single values that aws-iam-authenticator
// accepts.
func TestReservedPrefixes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"[{backendmode: A, usernamePrefixReserveList: [x, 5]}, {backendMode: B, usernamePrefixReserveList: [y]}]", `A ["x" "5"] B ["y"]`},
		{"{backendmode: A, usernamePrefixReserveList: 'x,y'}", `A ["x" "y"]`},
		{"{backendmode: A, usernamePrefixReserveList: 'x, y'}", `A ["x" "y"]`},
		{"{backendmode: A, usernamePrefixReserveList: 'x, '}", "line 2: server.reservedPrefixConfig: backendMode and usernamePrefixReserveList must not be empty"},
		{"null", ""},
		{"''", ""},
		{"[]", ""},
		{"[&a {backendmode: &b A, usernamePrefixReserveList: &l [*b, y]}, *a, {backendMode: B, usernamePrefixReserveList: *l}]", `A ["A" "y"] A ["A" "y"] B ["A" "y"]`},
		{"A", "line 2: server.reservedPrefixConfig: expected a mapping"},
		{"[{backendmode: A, usernamePrefixReserveList: ''}]", "line 2: server.reservedPrefixConfig: backendMode and usernamePrefixReserveList must not be empty"},
		{"[{backendmode: A, usernamePrefixReserveList: null}]", "line 2: server.reservedPrefixConfig: backendMode and usernamePrefixReserveList must not be empty"},
		{"[{backendmode: A, usernamePrefixReserveList: ~}]", "must not be empty"},
		{"[{backendmode: A, usernamePrefixReserveList: {x: y}}]", "expected a list"},
	} {
		file, _, err := Parse([]byte("server:\n  reservedPrefixConfig: " + test.text))
		var got []string
		for _, reserved := range file.ReservedPrefixes {
			got = append(got, fmt.Sprintf("%s %q", reserved.Source, reserved.Prefixes))
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if text := strings.Join(got, " "); !strings.Contains(text, test.want) || (test.want == "") != (text == "") {
			t.Errorf("%s: %q, want %q", test.text, text, test.want)
		}
	}
}

// TestAliases checks that an alias is read as its value everywhere, also in lists.
func TestAliases(t *testing.T) {
	file, _, err := Parse([]byte("clusterID: &id c\nserver:\n  hostname: *id\n  stsRegions: [*id, &r r, *r]\n  scrubbedAccounts: [&a '111122223333', *a]\n"))
	if err != nil {
		t.Fatal(err)
	}
	rest := file.Rest()
	if rest["server.hostname"] != "c" || rest["server.stsRegions"] != "c,r,r" || rest["server.scrubbedAccounts"] != "111122223333,111122223333" {
		t.Errorf("read %q", rest)
	}
}

// TestMergeKey checks that the error for a merge key does not propose another key.
func TestMergeKey(t *testing.T) {
	for text, want := range map[string]string{
		"server:\n  <<: {port: 1}\n":                   "line 2: YAML's merge key is not supported (write the keys out)",
		"clusters:\n- &a {id: a}\n- <<: *a\n  id: b\n": "line 3: YAML's merge key is not supported (write the keys out)",
	} {
		if _, _, err := Parse([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestParseIsBounded checks that a file that would take much memory is rejected before
// it is parsed: the server rereads the file, which may be a mounted ConfigMap.
func TestParseIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"values":   "clusterID: c\nserver:\n  mapAccounts:\n" + strings.Repeat("  - a\n", 500_000),
		"comments": "clusterID: c\n" + strings.Repeat("  #\n#\n", 500_000),
	} {
		if _, _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "the file is too large") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
