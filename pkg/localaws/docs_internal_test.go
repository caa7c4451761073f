package localaws

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedOperations holds that docs/localaws.md names every operation that
// there is, and no other: one line a service, in order.
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
		t.Errorf("there are %d services", len(a.services))
	}
}
