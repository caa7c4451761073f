//go:build e2e

package readme

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/e2e/internal/document"
)

// update writes the picture, after the output of the demo has changed:
// go test -tags e2e ./e2e/readme -run TestDemo -update
var update = flag.Bool("update", false, "write docs/images/demo.svg")

// TestDemo runs the command of README's first screen, and compares the picture
// there with what the command really prints.
func TestDemo(t *testing.T) {
	skipUnless(t, "envtest")
	const picture = "docs/images/demo.svg"
	const command = "make demo"
	if got := document.Commands(read(t, "README.md"), "authenticator"); got != command+"\n" {
		t.Fatalf("the commands of README's first screen are %q, want %q", got, command)
	}
	if !strings.Contains(read(t, "README.md"), "]("+picture+")") {
		t.Fatalf("README does not show %s", picture)
	}
	lines := shortened(run(t, command))
	got := window{
		title:       command + " in a terminal",
		description: "The output, shortened:\n$ " + command + "\n" + strings.Join(lines, "\n"),
		lines:       append([]string{"$ " + command + ellipsis}, lines...),
	}.svg()
	path := filepath.Join(root(t), picture)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, picture), string(got)); diff != "" {
		t.Errorf("%s is not what %s prints; run with -update to write it (-picture +printed)\n%s", picture, command, diff)
	}
}

// columns is how wide the picture is, at most.
const columns = 84

// shortened returns the lines for the picture. None of them has a time, a key or
// anything else that is different in each run. An ellipsis at the end of a line is
// for what was left out behind it, but for the demo's own comments.
func shortened(output string) []string {
	var lines []string
	entry := false // between mapUsers and the end of the manifest
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		text, last := strings.TrimSpace(line), len(lines)-1
		entry = (entry || text == "mapUsers: |") && text != "EOF2"
		if row := shownRow.FindStringSubmatch(line); row != nil {
			line = fmt.Sprintf("  %-12s%s", row[1], row[2])
		}
		switch {
		case entry || shown.MatchString(line):
			lines = append(lines, cutTo(line, columns))
		case last >= 0 && text != "" && !strings.HasPrefix(text, "# ") && !strings.HasSuffix(lines[last], ellipsis):
			lines[last] = cutTo(lines[last]+ellipsis, columns)
		}
	}
	return lines
}

var (
	// shownRow are rows of the table of kubectl auth whoami. Its columns are as wide
	// as rows that are not shown need them.
	shownRow = regexp.MustCompile(`^  (ATTRIBUTE|Username|Groups|Extra: arn)  +(.+)$`)
	// shown are titles of steps, commands, and the results that matter.
	shown = regexp.MustCompile(`^(\d+/\d+  |  \$ |  configmap/aws-auth |  (ATTRIBUTE|Username|Groups|Extra: arn) )`)
)

const ellipsis = " …"

// cutTo cuts a line behind a word, if it is too wide.
func cutTo(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	cut := string([]rune(line)[:width-1])
	return cut[:strings.LastIndex(cut, " ")] + ellipsis
}

func TestShortened(t *testing.T) {
	t.Parallel()
	long := "  $ " + strings.Repeat("word ", columns)
	got := shortened(strings.Join([]string{
		"go build", "", "1/2  First", "  $ one", "  {", "  }", "  # Why.", "", "2/2  Second", long, "  $ two <<EOF2", "    mapUsers: |", "  EOF2", "  $ three", "  # Why.",
		"  Username             kubedemy", "  UID                  1",
	}, "\n"))
	want := []string{"1/2  First", "  $ one …", "2/2  Second", cutTo(long, columns), "  $ two <<EOF2", "    mapUsers: | …", "  $ three", "  Username    kubedemy …"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestCutTo(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"  one two":       "  one two",
		"  one two …":     "  one …",
		"  one two three": "  one …",
		"  ἕν δύο τρία":   "  ἕν …",
	} {
		if got := cutTo(line, 9); got != want {
			t.Errorf("%q is cut to %q, want %q", line, got, want)
		}
	}
}

func TestWindowIsXML(t *testing.T) {
	t.Parallel()
	svg := window{title: "a < b", description: `"c" & d`, lines: []string{"$ a <b> & c …", "", "1/2  d"}}.svg()
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	text := ""
	for {
		switch token, err := decoder.Token(); {
		case errors.Is(err, io.EOF):
			for _, want := range []string{"a < b", `"c" & d`, "$ a <b> & c …", "1/2  d"} {
				if !strings.Contains(text, want) {
					t.Errorf("the picture lacks the text %q", want)
				}
			}
			return
		case err != nil:
			t.Fatal(err)
		default:
			if characters, ok := token.(xml.CharData); ok {
				text += string(characters)
			}
		}
	}
}
