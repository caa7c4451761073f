package awsauth_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// TestSyntaxErrors checks that the problem of a section that does not parse names the
// line to fix: the one that ends in "# here".
func TestSyntaxErrors(t *testing.T) {
	const good = "- rolearn: " + role + "A\n  username: a\n  groups: [x]\n"
	for _, test := range []struct{ name, text, cause, fix string }{
		{"a template without quotes", good + "- rolearn: " + role + "B\n  username: {{SessionName}} # here\n", "starts with {{", `username: "{{SessionName}}"`},
		{"a template without quotes and text", good + "- rolearn: " + role + "B\n  username: {{SessionName}}:x # here\n", "starts with {{", `username: "{{SessionName}}:x"`},
		{"a template in brackets", good + "- rolearn: " + role + "B\n  groups: [a, team:{{AccountID}}] # here\n", "{{ in brackets", "quote"},
		{"a comment that misleads", "# username: {{SessionName}}\n" + good + "- rolearn: \"" + role + "B # here\n  username: b\n", "never closed", `"`},
		{"a quote that a later one closes", good + "- rolearn: " + role + "B\n  username: \"b # here\n  groups: [\"x\"]\n", "never closed", `"`},
		{"a single quote", good + "- rolearn: " + role + "B\n  username: 'b # here\n- rolearn: x\n", "never closed", "'"},
		{"a quote at the end", good + "- rolearn: " + role + "B\n  username: 'b # here\n", "never closed", "'"},
		{"text after a quote", good + "- rolearn: " + role + "B\n  username: \"b\":{{SessionName}} # here\n", "follows the closing quote", "one pair of quotes"},
		{"a word after a quote", good + "- rolearn: " + role + "B\n  username: \"b\" c # here\n", "follows the closing quote", "one pair of quotes"},
		{"a bracket", good + "- rolearn: " + role + "B\n  groups: [a, b # here\n- rolearn: " + role + "C\n", "[ opened here is never closed", "]"},
		{"a bracket at the end", good + "- rolearn: " + role + "B\n  groups: [a, b # here\n", "[ opened here is never closed", "]"},
		{"a bracket before a field", good + "- rolearn: " + role + "B\n  groups: [a, b # here\n  username: b\n", "[ opened here is never closed", "]"},
		{"a bracket that closes nothing", good + "- rolearn: " + role + "B\n  groups: [a, b}] # here\n", "closes nothing", "pair"},
		{"a tab", good + "- rolearn: " + role + "B\n\tusername: b # here\n", "tab", "spaces"},
		{"a colon in a value", good + "- rolearn: " + role + "B\n  username: b: c # here\n", "a colon and a space", `username: "b: c"`},
		{"an at", good + "- rolearn: " + role + "B\n  username: @b # here\n", "start with @", `username: "@b"`},
		{"a percent", good + "- rolearn: " + role + "B\n  username: %b # here\n", "start with %", `username: "%b"`},
		{"an asterisk", good + "- rolearn: " + role + "B\n  username: *b # here\n", "alias", `username: "*b"`},
		{"an asterisk alone", good + "- rolearn: " + role + "B\n  username: * # here\n", "alias", `username: "*"`},
		{"no space after a colon", good + "- rolearn: " + role + "B\n  username:b # here\n  groups: [x]\n", "space is missing after the colon", "write username: b"},
		{"no space after a dash", good + "-rolearn: " + role + "B # here\n  username: b\n", "space is missing after the dash", "write - rolearn"},
		{"no colon", good + "- rolearn: " + role + "B\n  username # here\n  groups: [x]\n", "neither a field nor an item", "username: admin"},
		{"an item below text", "nodes\n- rolearn: " + role + "B # here\n", "starts an item of a list, but line 1, with the same indentation, does not", "start both"},
		{"an item below a field", "nodes: 1\n- rolearn: " + role + "B # here\n", "starts an item of a list, but line 1, with the same indentation, does not", "start both"},
		{"a field indented too much", good + "- rolearn: " + role + "B\n   username: b # here\n", "indented by 3 spaces, but line 4, which it seems to belong with, by 2", "by 2 spaces"},
		{"a field indented too little", good + "- rolearn: " + role + "B\n username: b # here\n", "indented by 1 space, but line 4", "by 2 spaces"},
		{"a field not indented", good + "- rolearn: " + role + "B\nusername: b # here\n", "indented by 0 spaces", "by 2 spaces"},
		{"groups indented too much", good + "- rolearn: " + role + "B\n  username: b\n    groups: # here\n    - x\n", "indented by 4 spaces", "by 2 spaces"},
		{"a group indented too little", good + "- rolearn: " + role + "B\n  groups:\n      - a\n    - b # here\n", "indented by 4 spaces, but line 6", "by 6 spaces"},
		{"an entry after groups, indented too much", good + "- rolearn: " + role + "B\n  groups:\n    - x\n - rolearn: " + role + "C # here\n", "indented by 1 space, but line 4, which it seems to belong with, by 0", "by 0 spaces"},
		{"an entry indented too much", good + "  - rolearn: " + role + "B # here\n    username: b\n", "indented by 2 spaces", "by 0 spaces"},
		{"a conflict of Git", good + "<<<<<<< HEAD # here\n- rolearn: " + role + "B\n=======\n>>>>>>> main\n", "conflict marker", "resolve"},
		{"an alias without an anchor", good + "- rolearn: " + role + "B\n  groups: *nodes # here\n", "no anchor", "quote"},
		{"JSON", "[\n  {\"rolearn\": \"x\"},\n  {\"rolearn\": \"y\" # here\n]\n", "the { opened here is never closed", "}"},
		{"a long text before", good + "- rolearn: " + role + "B\n  username: |\n    {{SessionName}}\n    \"x\n  groups: [x # here\n", "[ opened here", "]"},
		{"no comma", good + "- rolearn: " + role + "B\n  groups: [\"a\" \"b\"] # here\n", "did not find expected ','", "near this line"},
		{"an unknown fault", good + "- rolearn: " + role + "B\n  username: !!bogus:: [a]: b # here\n", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := awsauth.Parse(map[string]string{"mapRoles": test.text}, nil, options())
			if len(result.Problems) != 1 || result.Problems[0].Code != mapper.SectionSyntax {
				t.Fatalf("reported %v", result.Problems)
			}
			p := result.Problems[0]
			lines := strings.Split(test.text, "\n")
			if !strings.HasSuffix(lines[p.Line-1], "# here") {
				t.Errorf("reported in line %d: %s\n%s (%s)", p.Line, lines[p.Line-1], p.Message, p.Fix)
			}
			if !strings.Contains(p.Message, test.cause) || !strings.Contains(p.Fix, test.fix) {
				t.Errorf("%s (%s); want %q and %q", p.Message, p.Fix, test.cause, test.fix)
			}
			if !strings.Contains(p.Excerpt, "# here") {
				t.Errorf("the excerpt is\n%s", p.Excerpt)
			}
		})
	}
}

// TestCharacters checks that a character that YAML does not allow is reported with its
// place and its code, in a ConfigMap and in files.
func TestCharacters(t *testing.T) {
	const before = "- rolearn: " + role + "A\n  username: é"
	for char, want := range map[string]string{
		"\x00":   "the control character U+0000 is not allowed",
		"\x01":   "the control character U+0001 is not allowed",
		"\x1b":   "the control character U+001B is not allowed",
		"\x7f":   "the control character U+007F is not allowed",
		"\u0080": "the control character U+0080 is not allowed",
		"\uffff": "the control character U+FFFF is not allowed",
		"\xff":   "the byte 0xFF is not UTF-8",
		"\xc3":   "the byte 0xC3 is not UTF-8",
		"\u00a0": "", "\ufeff": "", "\U0001f600": "",
	} {
		text := before + char + "x\n  groups: [x]\n"
		problems := awsauth.Parse(map[string]string{"mapRoles": text}, nil, options()).Problems
		if want == "" {
			if slices.ContainsFunc(problems, func(p mapper.Problem) bool { return p.Code == mapper.SectionSyntax }) {
				t.Errorf("%q: %v", char, problems)
			}
			continue
		}
		if len(problems) != 1 || problems[0].Message != "the YAML does not parse: "+want || problems[0].Line != 2 || problems[0].Column != 14 {
			t.Errorf("%q: %+v, want %s", char, problems, want)
		}
		// A file of mappings is not read at all.
		_, err := awsauth.ParseFile([]byte("# a file\nmapRoles: |\n  "+strings.ReplaceAll(text, "\n", "\n  ")), nil, options())
		if syntax, ok := errors.AsType[*awsauth.SyntaxError](err); !ok || syntax.Cause != want || syntax.Line != 4 || syntax.Column != 16 {
			t.Errorf("%q in a file: %v, want line 4: %s", char, err, want)
		}
	}
	// In JSON, the section is one line of the file.
	inJSON, err := awsauth.ParseFile([]byte(`{"mapRoles": "- rolearn: `+role+`A\n  username: b\u0001x\n"}`), nil, options())
	if err != nil {
		t.Fatal(err)
	}
	if p := inJSON.Problems[0]; p.Message != "the YAML does not parse: line 2, column 14 of the text: the control character U+0001 is not allowed" || p.Line != 1 {
		t.Errorf("in JSON: %+v", p)
	}
}

func TestExcerptHasTheLinesAroundIt(t *testing.T) {
	const text = "- rolearn: " + role + "A\n  username: \"a\n  groups: [x]\n  other: y\n"
	result := awsauth.Parse(map[string]string{"mapRoles": text}, nil, options())
	const want = "  1 | - rolearn: " + role + "A\n> 2 |   username: \"a\n  3 |   groups: [x]\n"
	if got := result.Problems[0].Excerpt; got != want {
		t.Errorf("the excerpt is\n%s\nwant\n%s", got, want)
	}
	file := "# a file\nmapRoles: |\n" + strings.ReplaceAll("  "+strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
	inFile, err := awsauth.ParseFile([]byte(file), nil, options())
	if err != nil {
		t.Fatal(err)
	}
	if got := inFile.Problems[0]; got.Line != 4 || !strings.Contains(got.Excerpt, "> 4 |   username") {
		t.Errorf("in a file, it is reported in line %d:\n%s", got.Line, got.Excerpt)
	}
}

// TestIndentationInAFile checks that messages have the lines and indentation of the
// file.
func TestIndentationInAFile(t *testing.T) {
	const file = "# a file\nmapRoles: |\n    - rolearn: " + role + "A\n       username: a\n"
	result, err := awsauth.ParseFile([]byte(file), nil, options())
	if err != nil {
		t.Fatal(err)
	}
	const want = "this line is indented by 7 spaces, but line 3, which it seems to belong with, by 6"
	if p := result.Problems[0]; p.Line != 4 || !strings.Contains(p.Message, want) || p.Fix != "indent it by 6 spaces" {
		t.Errorf("reported %v", p)
	}
	groups := "# a file\nmapRoles: |\n  - rolearn: " + role + "A\n    groups: [" + strings.Repeat("g,", 500) + "g]\n"
	if result, err = awsauth.ParseFile([]byte(groups), nil, options()); err != nil || !strings.Contains(result.Problems[0].Message, "the entry in line 3 has 501 groups") {
		t.Errorf("reported %v, %v", result.Problems, err)
	}
}

// TestEntryIndentedLessThanTheFirst checks a section that EKS parses only down to such
// an entry. The entry must not take away what was in force.
func TestEntryIndentedLessThanTheFirst(t *testing.T) {
	const text = "  - rolearn: " + role + "A\n    username: a:{{SessionName}}\n- rolearn: " + role + "B\n  username: b:{{SessionName}}\n"
	const good = "- rolearn: " + role + "B\n  username: old:{{SessionName}}\n"
	for name, test := range map[string]struct {
		last *awsauth.Result
		a, b string
	}{
		"at first": {nil, "a:x", ""},
		"later":    {awsauth.Parse(map[string]string{"mapRoles": good}, nil, options()), "", "old:x"},
	} {
		result := awsauth.Parse(map[string]string{"mapRoles": text}, test.last, options())
		if got := summary(result); got != "error SectionSyntax 3" || !strings.Contains(result.Problems[0].Fix, "by 2 spaces") || result.Problems[0].Excerpt == "" {
			t.Errorf("%s: reported %v", name, result.Problems)
		}
		if a, b := username(t, result, mappertest.Role(t, "A", "x")), username(t, result, mappertest.Role(t, "B", "x")); a != test.a || b != test.b {
			t.Errorf("%s: A is %q and B is %q, want %q and %q", name, a, b, test.a, test.b)
		}
	}
}
