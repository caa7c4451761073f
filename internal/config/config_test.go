package config

import (
	"runtime"
	"strings"
	"testing"
	"weak"
)

// TestFileKeepsNoNodes holds that a File, which lives as long as the server, does
// not keep the nodes of the mappings alive: they are many times their text.
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

// TestParseIsBounded holds that a file which would take much memory is refused
// before it is parsed: it is followed, and may be a mounted ConfigMap.
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
