package config

import (
	"runtime"
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
	mappings = nil
	runtime.GC()
	if node.Value() != nil {
		t.Error("the nodes of the mappings are still reachable")
	}
	runtime.KeepAlive(file)
}
