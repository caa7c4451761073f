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
	for service, title := range map[string]string{"sts": "STS", "iam": "IAM", "eks": "EKS", "ec2": "EC2", "cloudtrail": "CloudTrail"} {
		names := slices.Clone(a.services[service].actions())
		slices.Sort(names)
		if want := "- **" + title + "**: " + strings.Join(names, ", ") + "\n"; !strings.Contains(string(document), want) {
			t.Errorf("docs/localaws.md lacks the line\n%s", want)
		}
	}
	if len(a.services) != 5 {
		t.Errorf("%d services, want 5", len(a.services))
	}
}
