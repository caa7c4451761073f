package localaws

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedOperations checks that docs/localaws.md has one line for each
// service with exactly its operations, in order.
func TestDocumentedOperations(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "localaws.md"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range a.services() {
		var names []string
		for _, operation := range service.Operations {
			names = append(names, operation.Name)
		}
		slices.Sort(names)
		if want := "- **" + service.Title + "**: " + strings.Join(names, ", ") + "\n"; !strings.Contains(string(document), want) {
			t.Errorf("docs/localaws.md lacks the line\n%s", want)
		}
	}
}

// TestReadOnlyIsWhatCloudTrailSays checks the fact by the names: AWS begins those of
// operations that change nothing with these verbs, and counts issuing credentials as
// such.
func TestReadOnlyIsWhatCloudTrailSays(t *testing.T) {
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range a.services() {
		for _, operation := range service.Operations {
			reads := slices.ContainsFunc([]string{"Get", "List", "Describe", "Lookup", "Simulate", "Decode", "Assume"}, func(verb string) bool {
				return strings.HasPrefix(operation.Name, verb)
			})
			if operation.ReadOnly != reads {
				t.Errorf("%s:%s: ReadOnly is %t", service.Name, operation.Name, operation.ReadOnly)
			}
		}
	}
}
