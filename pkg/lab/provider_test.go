package lab

import (
	"strings"
	"testing"
)

// TestSupports checks that the error names the provider that cannot run on a system,
// and one that can.
func TestSupports(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		system, provider string
		refused          bool
	}{
		{"linux", Envtest, false},
		{"linux", Kind, false},
		{"darwin", Envtest, false},
		{"darwin", Kind, true},
	} {
		err := supports(test.system, test.provider)
		if (err != nil) != test.refused {
			t.Errorf("%s on %s: %v, want it refused: %t", test.provider, test.system, err, test.refused)
		}
		for _, words := range []string{"--provider kind needs Linux", test.system, "local AWS", "--provider envtest"} {
			if err != nil && !strings.Contains(err.Error(), words) {
				t.Errorf("%s on %s: the error does not name %q: %v", test.provider, test.system, words, err)
			}
		}
	}
	if err := Supports(Envtest); err != nil {
		t.Errorf("%s here: %v", Envtest, err)
	}
}
