package awsauth_test

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func repeat(text string, length int) string { return strings.Repeat(text, length/len(text)) }

// users returns n entries of mapUsers.
func users(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "- userarn: %suser-%05d\n  username: user-%05d\n  groups:\n  - team-%d\n", user, i, i, i%20)
	}
	return b.String()
}

// TestLimits checks each limit: beyond it, the section keeps its last good content and
// the problem names the limit; at the limit, the section is read.
func TestLimits(t *testing.T) {
	groups := func(n int) string { return "  groups: [" + strings.TrimSuffix(strings.Repeat("g,", n), ",") + "]\n" }
	const b = "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n"
	nested := func(depth int) string {
		return "  groups: " + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "\n"
	}
	aliases := func(n int) string { // n times 8,000 bytes
		return b + "- &a {x: " + strings.Repeat("y", 8_000) + "}\n- z: [" + strings.TrimSuffix(strings.Repeat("*a ,", n), ",") + "]\n"
	}
	for _, test := range []struct {
		name, exceeds, fits, message string
	}{
		{"bytes", b + repeat("#", 4<<20-len(b)+1), b + repeat("#", 4<<20-len(b)), "4194305 bytes (at most 4194304)"},
		{"values", b + repeat("- {}\n", 60_001*5), b + repeat("- {}\n", 59_000), "YAML values (at most 300000)"},
		{"comments", b + strings.Repeat(" #\n#\n", 37_500), b + strings.Repeat(" #\n#\n", 37_400), "YAML values (at most 300000)"},
		{"directives", strings.Repeat("%TAG ! x\n", 300), "%TAG ! x\n---\n" + b, "YAML values (at most 300000)"},
		{"groups of an entry", b + groups(501), b + groups(500), "the entry in line 1 has 501 groups (at most 500)"},
		{"depth", b + nested(15), b + nested(14), "nested 17 levels deep (at most 16)"},
		{"expanded size", aliases(1_050), aliases(1_000), "or more after its aliases are expanded (at most 8388608)"},
		{"entries", b + strings.Repeat("- x\n", 20_000), b + strings.Repeat("- x\n", 19_999), "20001 entries (at most 20000)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			last := awsauth.Parse(map[string]string{"mapRoles": "- rolearn: " + role + "B\n  username: last:{{SessionName}}\n"}, nil, options())
			result := awsauth.Parse(map[string]string{"mapRoles": test.exceeds}, last, options())
			if len(result.Problems) != 1 || result.Problems[0].Code != mapper.SectionTooLarge || !strings.Contains(result.Problems[0].Message, test.message) {
				t.Fatalf("reported %v, want %q", result.Problems, test.message)
			}
			if got := username(t, result, mappertest.Role(t, "B", "x")); got != "last:x" {
				t.Errorf("B is %q, want the last good content", got)
			}
			result = awsauth.Parse(map[string]string{"mapRoles": test.fits}, last, options())
			if got := username(t, result, mappertest.Role(t, "B", "x")); got != "b:x" {
				t.Errorf("at the limit B is %q: %v", got, result.Problems[:min(len(result.Problems), 3)])
			}
		})
	}
}

func TestProblemsAreBounded(t *testing.T) {
	result := awsauth.Parse(map[string]string{"mapRoles": strings.Repeat("- rolearn: "+strings.Repeat("x", 200)+"\n", 1_000)}, nil, options())
	if len(result.Problems) != 201 {
		t.Fatalf("%d problems are listed", len(result.Problems))
	}
	more := result.Problems[200]
	if more.Code != mapper.MoreProblems || more.Severity != mapper.Error || !strings.HasPrefix(more.Message, "800 more") || more.Line == 0 {
		t.Errorf("%+v", more)
	}
}

// TestErrorsAreListedBeforeWarnings checks that an error after more warnings than are
// listed is still listed.
func TestErrorsAreListedBeforeWarnings(t *testing.T) {
	const bad = "- rolearn: arn:aws:iam::111122223333:group/x\n"
	result := awsauth.Parse(map[string]string{"mapRoles": strings.Repeat("- rolearn: "+role+"A\n", 300) + bad}, nil, options())
	listed := func(p mapper.Problem) bool { return p.Code == mapper.EntryInvalidARN && p.Line == 301 }
	if !slices.ContainsFunc(result.Problems, listed) || len(result.Problems) != 201 {
		t.Errorf("%d problems are listed, but the error is not among them", len(result.Problems))
	}
	result = awsauth.Parse(map[string]string{"mapRoles": strings.Repeat("- rolearn: "+role+"A\n  groups: [{}]\n", 300) + bad}, nil, options())
	if slices.ContainsFunc(result.Problems, listed) || !result.Found(mapper.EntryInvalidARN) || result.Found(mapper.EntryNoARN) {
		t.Error("Found is wrong about problems beyond the limit")
	}
	// The only warning is the last problem that is listed, and makes room for the error.
	result = awsauth.Parse(map[string]string{"mapRoles": strings.Repeat(bad, 199) + "- rolearn: " + role + "A\n  username: a:{{SessionName}}\n  shell: zsh\n" + bad}, nil, options())
	if more := result.Problems[len(result.Problems)-1]; more.Code != mapper.MoreProblems || more.Severity != mapper.Warning {
		t.Errorf("an unlisted warning is %+v", more)
	}
}

// hostile returns texts that are expensive to parse, of at most 1 MiB, as a ConfigMap
// can hold.
func hostile() map[string]string {
	const size = 1 << 20
	laughs := "- &a0 [x]\n"
	for i := range 60 {
		laughs += fmt.Sprintf("- &a%d [*a%d ,*a%d ]\n", i+1, i, i)
	}
	squared := "- rolearn: " + role + "A\n  username: a:{{SessionName}}\n  groups: &g\n" + strings.Repeat("  - system:masters\n", 2_200)
	for i := range 2_200 {
		squared += fmt.Sprintf("- {rolearn: '%sr%d', username: 'u', groups: *g }\n", role, i)
	}
	anchors := strings.Builder{}
	for i := 0; anchors.Len() < size; i++ {
		fmt.Fprintf(&anchors, "- &a%d a\n", i)
	}
	directives := strings.Builder{}
	for i := 0; directives.Len() < size; i++ {
		fmt.Fprintf(&directives, "%%TAG !a%d! x\n", i)
	}
	return map[string]string{
		"groups by aliases, squared": squared,
		"a billion laughs":           laughs,
		"an alias to itself":         "- &a [*a ]",
		"an alias to the list":       "&a\n- *a\n- groups: *a\n",
		"open brackets":              repeat("[", size),
		"nested brackets":            strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000),
		"nested lists":               strings.Repeat("- ", 9_000) + "a",
		"nested lists, again":        repeat(strings.Repeat("- ", 4_000)+"a\n", size),
		"keys without values":        repeat("a:\n", size),
		"flow keys without values":   "{" + repeat("a,", size) + "}",
		"flow pairs":                 "[" + repeat(`"":,`, size) + "]",
		"empty lists":                "[" + repeat("[],", size) + "]",
		"empty items":                repeat("-\n", size),
		"other line breaks":          repeat("-\u0085", size),
		"other line breaks, again":   repeat("- a\u2028", size),
		"UTF-16":                     "\xff\xfe" + repeat("-\x00\n\x00", size),
		"UTF-16, again":              "\xfe\xff" + repeat("\x00-\x00\n", size),
		"short items":                repeat("- a\n", size),
		"aliases":                    "- &a a\n" + repeat("- *a\n", size),
		"anchors":                    anchors.String(),
		"comments":                   repeat("#\n", size) + "- a",
		"comments behind items":      repeat("- a # c\n", size),
		"comments in brackets":       "[" + repeat("a, #\n", size) + "]",
		"comments in turns":          "- a:\n    - b\n" + repeat("  #\n #\n", size),
		"comments above and below":   repeat("#\n- a #\n\n#\n\n", size),
		"tag directives":             directives.String() + "---\n- a\n",
		"a long line":                "- " + repeat("a", size),
		"a long quote":               `- "` + repeat("a\n  ", size) + `"`,
		"quotes that are not closed": repeat("- \"a\n", size),
		"aliases of no anchor":       repeat("- *a\n", size),
		"colons":                     repeat(":", size),
		"questions":                  repeat("? ", size),
		"documents":                  repeat("---\n", size),
		"tags":                       repeat("- !!str a\n", size),
		"groups that are wrong":      repeat("- rolearn: "+role+"A\n  groups: [{}, {}]\n", size),
		"groups outdented":           "- rolearn: " + role + "A\n" + strings.Repeat("- a\n", 19_000),
		"bad ARNs":                   repeat("- rolearn: arn:aws:iam::1:role/A\n", size),
		"names alike":                repeat("- mapRole: x\n  usernam: x\n", size),
		"not UTF-8":                  repeat("\xff", size),
		"tabs":                       repeat("\t", size),
	}
}

// TestValuesAreCountedBeforeTheyAreParsed checks that the parser never creates more
// values than were counted.
func TestValuesAreCountedBeforeTheyAreParsed(t *testing.T) {
	for name, text := range hostile() {
		text = text[:min(len(text), 1<<15)]
		if nodes, counted := awsauth.Nodes(text), awsauth.CountValues(text); nodes > counted {
			t.Errorf("%s: the parser creates %d values, but %d were counted", name, nodes, counted)
		}
	}
	text := users(1_000)
	if nodes, counted := awsauth.Nodes(text), awsauth.CountValues(text); counted > nodes*4/3 {
		t.Errorf("users: the parser creates %d values, but %d were counted", nodes, counted)
	}
}

// TestHostileTextsCostLittle checks that no ConfigMap costs much memory, and that the
// result retains only what the table needs.
func TestHostileTextsCostLittle(t *testing.T) {
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			var before, after, kept runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			result := awsauth.Parse(map[string]string{"mapRoles": text}, nil, options())
			runtime.ReadMemStats(&after)
			runtime.GC()
			runtime.ReadMemStats(&kept)
			// This is the total allocated: the peak is less than half of it.
			if total := (after.TotalAlloc - before.TotalAlloc) >> 20; total > 192 {
				t.Errorf("reading it takes %d MiB", total)
			}
			if retained := int64(kept.HeapAlloc-before.HeapAlloc) >> 20; retained > 8 {
				t.Errorf("the result retains %d MiB", retained)
			}
			if len(result.Problems) > 201 {
				t.Errorf("%d problems", len(result.Problems))
			}
			runtime.KeepAlive(result)
		})
	}
}

// TestLineOfTooManyGroups checks that the message has the line of the file, or says that it
// is one of the text.
func TestLineOfTooManyGroups(t *testing.T) {
	t.Parallel()
	section := "- userarn: x\n- userarn: x\n  groups: [" + strings.Repeat("x,", 501) + "]\n"
	for file, want := range map[string]string{
		"mapUsers: |\n  " + strings.ReplaceAll(section, "\n", "\n  "): "the entry in line 3 has",
		"mapUsers: " + strconv.Quote(section):                         "the entry in line 2 of the text has",
	} {
		result, err := awsauth.ParseFile([]byte(file), nil, awsauth.Options{})
		if err != nil || len(result.Problems) != 1 || !strings.HasPrefix(result.Problems[0].Message, want) {
			t.Errorf("%+v, %v, want %s", result, err, want)
		}
	}
}

// TestTextsAreCutBetweenCharacters checks that what is quoted of a long text has no part of
// a character.
func TestTextsAreCutBetweenCharacters(t *testing.T) {
	for lead := range 3 {
		long := strings.Repeat("x", lead) + strings.Repeat("語", 3000)
		for _, text := range []string{"- rolearn: " + long + "\n  username: a\n", "- rolearn: " + role + long + "/b\n  username: a\n", "- " + long + "\n", "- rolearn: " + role + "A\n  " + long + ": b\n"} {
			result := awsauth.Parse(map[string]string{"mapRoles": text}, nil, options())
			if len(result.Problems) == 0 {
				t.Errorf("%.40s: no problem", text)
			}
			for _, p := range result.Problems {
				if !utf8.ValidString(p.Message+p.Fix+p.Effect+p.Principal) || strings.Contains(p.String(), `\x`) {
					t.Errorf("%.40s: %s", text, p)
				}
			}
		}
	}
}
