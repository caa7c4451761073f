package metrics

import (
	"strings"
	"testing"
	"unsafe"
)

// TestLabelsKeepNoToken checks that a label is a copy: the region is a part of a token, which is
// a credential.
func TestLabelsKeepNoToken(t *testing.T) {
	regions := newRegions()
	for _, rest := range []string{"first", "second"} {
		token := strings.Repeat("a token, ", 10) + "eu-west-1" + rest
		region := token[90:99]
		if label := regions.label(region, true); label != "eu-west-1" || unsafe.StringData(label) == unsafe.StringData(region) {
			t.Errorf("the label %q of the %s token is a part of it", label, rest)
		}
		for key := range regions.known {
			if unsafe.StringData(key) == unsafe.StringData(region) {
				t.Errorf("the key of the %s token is a part of it", rest)
			}
		}
	}
}
