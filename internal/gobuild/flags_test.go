package gobuild

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMakefileFlags checks that make builds our programs with the flags of ProgramFlags.
func TestMakefileFlags(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(makefile), `GOFLAGS="$$($(GO) env GOFLAGS) `)
	text, _, found := strings.Cut(text, `'-ldflags=$(LDFLAGS)'"`)
	if !found {
		t.Fatal("the Makefile has no WITH_FLAGS as it was")
	}
	var flags []string
	quoted := false
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", " "), "'") {
		if quoted {
			flags = append(flags, part)
		} else {
			flags = append(flags, strings.Fields(part)...)
		}
		quoted = !quoted
	}
	if want := ProgramFlags(); !slices.Equal(flags, want) {
		t.Errorf("the Makefile has %q, want %q", flags, want)
	}
}
