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
