package metrics

import (
	"strings"
	"testing"
	"unsafe"
)

// TestLabelsKeepNoToken checks that a label is a copy: the region is a substring of a token, which
// is a credential.
func TestLabelsKeepNoToken(t *testing.T) {
	regions := newRegions()
	const before, name = "a token, ", "eu-west-1"
	for _, rest := range []string{"first", "second"} {
		token := strings.Join([]string{before, name, rest}, "")
		region := token[len(before):][:len(name)]
		label := regions.add(region)
		if label != name {
			t.Errorf("the label is %q, want %q", label, name)
		}
		for key := range regions.known {
			if unsafe.StringData(label) == unsafe.StringData(region) || unsafe.StringData(key) == unsafe.StringData(region) {
				t.Errorf("the %s token stays in memory", rest)
			}
		}
	}
}
