package awsauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// editedTexts returns pairs of texts, and whether only the changed items are parsed.
func editedTexts() map[string]struct {
	before, after string
	inParts       bool
} {
	const three = "- userarn: a\n  groups: [x]\n- userarn: b\n  username: 'b'\n- {userarn: c}\n"
	return map[string]struct {
		before, after string
		inParts       bool
	}{
		"a value is changed":           {three, strings.Replace(three, "'b'", "yes", 1), true},
		"an item is added at the end":  {three, three + "- userarn: d\n", true},
		"an item is added at the top":  {three, "- userarn: d\n  username: e\n" + three, true},
		"an item is removed":           {three, strings.Replace(three, "- userarn: b\n  username: 'b'\n", "", 1), true},
		"lines are blank":              {three, "\n\n" + strings.Replace(three, "- userarn: b", "\n  \n- userarn: b", 1), true},
		"nothing is changed":           {three, three, true},
		"the list is indented":         {"  - a: b\n  - c: d\n", "  - a: b\n  - c: e\n", true},
		"everything is changed":        {three, "- userarn: d\n", false},
		"a quote is opened":            {three, strings.Replace(three, "'b'", "'b", 1), false},
		"a bracket is opened":          {three, strings.Replace(three, "[x]", "[x", 1), false},
		"a comment is added":           {three, three + "# end\n", false},
		"a comment is in an item":      {three, strings.Replace(three, "'b'", "'b' # c", 1), false},
		"an anchor is added":           {three, strings.Replace(three, "[x]", "&g [x]", 1), false},
		"a document is added":          {three, three + "---\n", false},
		"an item is indented less":     {"  - a: b\n  - c: d\n", "  - a: b\n- c: d\n", false},
		"a line is no item":            {three, three + "mapRoles: x\n", false},
		"items are indented otherwise": {"- a\n- b\n", "  - a\n  - b\n", false},
		"a quote spans items":          {"- 'a\n- b'\n- c\n", "- 'a\n- b'\n- d\n", false},
		"an item is empty":             {"- a\n- \n- b\n", "- a\n- \n- c\n", true},
	}
}

func TestOnlyChangedItemsAreParsed(t *testing.T) {
	for name, test := range editedTexts() {
		t.Run(name, func(t *testing.T) {
			edited, whole := awsauth.Edited(test.before, test.after)
			if (edited != nil) != test.inParts {
				t.Errorf("parsed in parts: %t, want %t", edited != nil, test.inParts)
			}
			if edited != nil {
				if diff := cmp.Diff(whole, edited); diff != "" {
					t.Errorf("(-whole +in parts)\n%s", diff)
				}
			}
		})
	}
}

// FuzzEdited checks that a text that is parsed in parts has the nodes that it has when it
// is parsed as a whole, their places included.
func FuzzEdited(f *testing.F) {
	for _, test := range editedTexts() {
		f.Add(test.before, test.after)
	}
	f.Add("- a: b\n  c: - d\n- e\n", "- a: b\n  c: - d\n- f\n")
	f.Add("- a\n  b\n- 'c\n\n  d'\n- [e,\n  f]\n", "- a\n  b\n- 'c\n\n  d'\n- [e,\n  g]\n")
	f.Add("- - a\n  - b\n- c", "- - a\n  - b\n- d")
	f.Fuzz(func(t *testing.T, before, after string) {
		edited, whole := awsauth.Edited(before, after)
		if edited == nil {
			return
		}
		if diff := cmp.Diff(whole, edited); diff != "" {
			t.Errorf("(-whole +in parts)\n%s", diff)
		}
	})
}

// BenchmarkParseEdit reads 1,000 users again after an edit of one.
func BenchmarkParseEdit(b *testing.B) {
	texts := [2]map[string]string{{"mapUsers": users(1000)}, {"mapUsers": strings.Replace(users(1000), "username: ", "username: x", 1)}}
	last := awsauth.Parse(texts[0], nil, options())
	b.ReportAllocs()
	for n := 1; b.Loop(); n++ {
		last = awsauth.Parse(texts[n%2], last, options())
	}
}

// TestEditOfLargeTextIsParsedWhole has a text whose nodes would take too much memory.
func TestEditOfLargeTextIsParsedWhole(t *testing.T) {
	for _, test := range []struct {
		count   int
		inParts bool
	}{{1000, true}, {8000, false}} {
		text := users(test.count)
		if edited, _ := awsauth.Edited(text, text+fmt.Sprintf("- userarn: %sx\n", user)); (edited != nil) != test.inParts {
			t.Errorf("%d users are parsed in parts: %t", test.count, edited != nil)
		}
	}
}
