package authenticator_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNamedTestsExist checks that a document names only tests that exist: they are
// what its claims rest on.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	name := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
	documents := map[string]string{}
	var tests []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "testdata"}, entry.Name()):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".md"):
			text, err := os.ReadFile(path)
			documents[path] = string(text)
			return err
		case strings.HasSuffix(path, "_test.go"):
			text, err := os.ReadFile(path)
			for _, match := range function.FindAllStringSubmatch(string(text), -1) {
				tests = append(tests, match[1])
			}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatalf("reading documents and tests: %v", err)
	}
	named := 0
	for path, text := range documents {
		for _, test := range name.FindAllString(text, -1) {
			if named++; test != "TestName" && !slices.Contains(tests, test) {
				t.Errorf("%s names %s, which does not exist", path, test)
			}
		}
	}
	if named < 50 {
		t.Errorf("the documents name %d tests, want 50 or more: the pattern matches too few", named)
	}
}
