package authenticator_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// repository is the address of this repository's main branch on the web. Links
// to it are checked against the files here.
const repository = "https://github.com/kube-iam/authenticator/blob/main/"

// TestLinksResolve checks the links of every Markdown file to files and headings
// of this repository.
func TestLinksResolve(t *testing.T) {
	t.Parallel()
	pages := markdown(t, ".")
	links := 0
	for _, page := range slices.Sorted(maps.Keys(pages)) {
		for _, link := range linksOf(pages[page]) {
			links++
			if err := resolve(pages, page, link); err != nil {
				t.Errorf("%s: link to %s: %v", page, link, err)
			}
		}
	}
	if links < 20 {
		t.Errorf("found only %d links: the pattern matches too few", links)
	}
}

func TestLinksThatDoNotResolve(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"docs/a.md": "# A `title`, with {{Marks}}\n\n## Twice\n## Twice\n```sh\n# a comment\n```\n",
		"README.md": "[a](docs/a.md)",
	}
	for link, resolves := range map[string]bool{
		"#a-title-with-marks":      true,
		"#twice":                   true,
		"#twice-1":                 true,
		"#twice-2":                 false,
		"#a-comment":               false,
		"a.md#twice":               true,
		"b.md":                     false,
		"../README.md":             true,
		"../README.md#none":        false,
		"../go.mod":                true,
		"../../outside.md":         false,
		repository + "go.mod":      true,
		repository + "docs/b.md":   false,
		"https://example.com/none": true,
	} {
		if err := resolve(pages, "docs/a.md", link); (err == nil) != resolves {
			t.Errorf("%s: resolves: %t, want %t (%v)", link, err == nil, resolves, err)
		}
	}
}

// markdown returns the text of every Markdown file below a directory, by path.
func markdown(t *testing.T, root string) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "testdata"}, entry.Name()):
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		pages[filepath.ToSlash(path)] = string(text)
		return err
	})
	if err != nil {
		t.Fatalf("reading Markdown files: %v", err)
	}
	return pages
}

// prose returns Markdown without its code, which holds no links.
func prose(text string) string {
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllString(withoutBlocks(text), "")
}

// withoutBlocks returns Markdown without its blocks of code.
func withoutBlocks(text string) string {
	return regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(text, "")
}

func linksOf(text string) []string {
	var links []string
	for _, match := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(prose(text), -1) {
		links = append(links, match[1])
	}
	return links
}

// resolve returns an error for a link to a file or a heading that does not exist.
// It accepts every link to another site: the test has no network.
func resolve(pages map[string]string, page, link string) error {
	path, anchor, _ := strings.Cut(link, "#")
	rest, ours := strings.CutPrefix(path, repository)
	switch {
	case ours:
		path = rest
	case strings.Contains(path, "://"):
		return nil
	case path == "":
		path = page
	default:
		path = filepath.ToSlash(filepath.Join(filepath.Dir(page), path))
	}
	text, isPage := pages[path]
	if !isPage {
		if _, err := os.Stat(path); err != nil || !filepath.IsLocal(path) {
			return fmt.Errorf("%s does not exist in this repository", path)
		}
	}
	if anchor != "" && !slices.Contains(anchors(text), anchor) {
		return fmt.Errorf("%s has no heading #%s", path, anchor)
	}
	return nil
}

// anchors returns the names that GitHub gives to the headings of a text.
func anchors(text string) []string {
	seen := map[string]int{}
	var names []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ +(.+)$`).FindAllStringSubmatch(withoutBlocks(text), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, heading[1])
		count := seen[name]
		seen[name]++
		if count > 0 {
			name = fmt.Sprintf("%s-%d", name, count)
		}
		names = append(names, name)
	}
	return names
}
