package gobuild

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, size := range map[string]int{"a.go": 1000, "a.s": 200, "a_test.go": 5000} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	packages := []listed{
		{ImportPath: "vendor/x"},
		{ImportPath: "y", Imports: []string{"x"}, ImportMap: map[string]string{"x": "vendor/x"}},
		{ImportPath: "z", Imports: []string{"y", "C"}},
		{ImportPath: "a", Imports: []string{"y", "z"}, Dir: dir, GoFiles: []string{"a.go"}, SFiles: []string{"a.s"}},
	}
	graph := newGraph(packages)
	costs := map[string]float64{"vendor/x": 1, "y": 10, "z": 100, "a": 1000}
	for i, want := range []struct{ bytes, dependencies, all float64 }{{0, 0, 1}, {0, 1, 11}, {0, 2, 111}, {1200, 3, 1111}} {
		cost := want.bytes + costOfPackage + want.dependencies*costOfDependency
		if got := graph.cost(packages[i]); got != cost {
			t.Errorf("cost of %s = %v, want %v", packages[i].ImportPath, got, cost)
		}
		if got := graph.costOfAll(packages[i], costs); got != want.all {
			t.Errorf("cost of %s and all it depends on = %v, want %v", packages[i].ImportPath, got, want.all)
		}
	}
}
