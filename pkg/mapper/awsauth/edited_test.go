package awsauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/mapper"
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

// reading is what a reading found, in a form that compares.
func reading(result *awsauth.Result) (entries []mapper.Entry, problems []mapper.Problem, ignoresUserIDs bool) {
	for entry := range result.Table.Entries() {
		entries = append(entries, *entry)
	}
	return entries, result.Problems, result.IgnoresUserIDs()
}

// checkReadAgain checks that after an edit, a text is read as if there had been none: with
// the options of the last reading, and with others.
func checkReadAgain(t *testing.T, before, after string) {
	t.Helper()
	for _, opts := range []awsauth.Options{options(), {Source: "other", NoSSO: true, AssumedRoles: awsauth.AssumedRolesAsRole}, {UserIDs: true}} {
		fresh := awsauth.Parse(map[string]string{"mapRoles": after, "mapUsers": after}, nil, opts)
		if len(fresh.Broken()) > 0 { // it keeps what was there before
			continue
		}
		last := awsauth.Parse(map[string]string{"mapRoles": before, "mapUsers": before}, nil, options())
		for range 2 { // the second reads the same again
			last = awsauth.Parse(map[string]string{"mapRoles": after, "mapUsers": after}, last, opts)
			entries, problems, ignores := reading(last)
			wantEntries, wantProblems, wantIgnores := reading(fresh)
			if diff := cmp.Diff(wantEntries, entries, cmp.Comparer(func(a, b mapper.Template) bool { return a == b })) + cmp.Diff(wantProblems, problems); diff != "" || ignores != wantIgnores {
				t.Errorf("after an edit, read differently with %+v (-want +got):\n%s", opts, diff)
			}
		}
	}
}

// readAgain are pairs of texts.
func readAgain() [][2]string {
	four := "- rolearn: " + role + "A\n  username: a:{{SessionName}}\n  groups: [x]\n" +
		"- userarn: " + user + "b\n  username: b\n" +
		"- rolearn: " + role + "C\n  username: shared\n" +
		"- rolearn: " + role + "D\n  userid: AROAD\n  username: d:{{SessionName}}\n  groups: []\n"
	var all [][2]string
	for _, replace := range [][2]string{
		{"a:{{", "e:{{"}, {"[x]", "['']"}, {"shared", "other"}, {role + "A", role + "D"}, {role + "C", "arn"}, {"username: b", "username: 1"}, {"userid: AROAD\n  ", ""}, {"- userarn", "\n- userarn"},
	} {
		edited := strings.Replace(four, replace[0], replace[1], 1)
		all = append(all, [2]string{four, edited}, [2]string{edited, four})
	}
	var many strings.Builder // more problems than are listed
	for i := range 250 {
		fmt.Fprintf(&many, "- userarn: %suser-%d\n  username: u\n  group: [x]\n", user, i)
	}
	return append(all, [2]string{many.String(), many.String() + "- userarn: " + user + "b\n  username: b\n"})
}

func TestReadAgain(t *testing.T) {
	for _, texts := range readAgain() {
		checkReadAgain(t, texts[0], texts[1])
	}
}

// TestReadAgainElsewhere checks that entries have the lines of the file: the text of a
// section is the same, but it begins in another line.
func TestReadAgainElsewhere(t *testing.T) {
	file := func(comment string) []byte {
		return []byte(comment + "mapUsers: |\n  - userarn: " + user + "b\n    username: b\n")
	}
	last, err := awsauth.ParseFile(file(""), nil, options())
	if err != nil {
		t.Fatal(err)
	}
	if last, err = awsauth.ParseFile(file("# a comment\n"), last, options()); err != nil {
		t.Fatal(err)
	}
	if entries, _, _ := reading(last); len(entries) != 1 || entries[0].Rule.Line != 3 {
		t.Errorf("%+v, want line 3", entries)
	}
}

// FuzzReadAgain checks the same for any texts.
func FuzzReadAgain(f *testing.F) {
	for _, texts := range readAgain() {
		f.Add(texts[0], texts[1])
	}
	f.Fuzz(checkReadAgain)
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
