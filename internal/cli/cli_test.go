package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestReport(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err     error
		colored bool
		code    int
		want    string
	}{
		"plain":          {errors.New("reading x: gone"), false, ExitFailure, "lab: reading x: gone\n"},
		"usage":          {Usagef("--port %d", 0), false, ExitUsage, "lab: --port 0\n"},
		"wrapped":        {fmt.Errorf("starting: %w", &Error{Code: ExitUndecided, Hint: "try again", Err: io.EOF}), false, ExitUndecided, "lab: starting: EOF\nhint: try again\n"},
		"from elsewhere": {&Error{Code: ExitFailure, Hint: "a\x1b[2J", Err: errors.New("x\x1b]0;y\a\r\nsecond")}, false, ExitFailure, "lab: x\uFFFD]0;y\uFFFD\uFFFD\n  second\nhint: a\uFFFD[2J\n"},
		"on a terminal":  {&Error{Code: ExitUsage, Hint: "try again", Err: io.EOF}, true, ExitUsage, "lab: EOF\n\x1b[1mhint:\x1b[0m try again\n"},
	} {
		var out bytes.Buffer
		if code := Report(&out, "lab", test.err, test.colored); code != test.code || out.String() != test.want {
			t.Errorf("%s: exit code %d, %q, want %d, %q", name, code, out.String(), test.code, test.want)
		}
	}
	if !errors.Is(Usagef("reading: %w", io.EOF), io.EOF) {
		t.Error("a usage error hides its cause")
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	few := []string{"envtest", "kind"}
	many := append(strings.Split(strings.Repeat("x", maxListed-2), ""), few...)
	for _, test := range []struct {
		value      string
		supported  []string
		want, hint string
	}{
		{"kin", few, `unknown provider "kin" (supported: envtest, kind)`, "did you mean kind?"},
		{"minikube", few, `unknown provider "minikube" (supported: envtest, kind)`, ""},
		{"kin", many, `unknown provider "kin" (supported: x, x, x, x, x, x, x, x, x, x, envtest, kind)`, "did you mean kind?"},
		{"kin", append(many, "x"), `unknown provider "kin"`, "did you mean kind?"},
	} {
		err := Usagef("line 3: %w", Unknown("provider", test.value, test.supported))
		got, ok := errors.AsType[*Error](err)
		if !ok || got.Error() != "line 3: "+test.want || got.Hint != test.hint || got.Code != ExitUsage {
			t.Errorf("%+v, want %s with hint %q", got, test.want, test.hint)
		}
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	value := struct {
		Names []string `json:"names"`
	}{[]string{"a<b", "c"}}
	rows := func(wide bool) Rows {
		rows := Rows{Header: []string{"NAME", "SIZE"}}
		if wide {
			rows.Header = append(rows.Header, "NOTE")
			rows.Add("a\x1b[31mb", 10, "long")
			return rows
		}
		rows.Add("a\x1b[31mb", 10)
		rows.Add("c\td\ne", 2)
		return rows
	}
	for format, want := range map[string]string{
		"":    "NAME     SIZE\na�[31mb  10\nc�d�e    2\n",
		Table: "NAME     SIZE\na�[31mb  10\nc�d�e    2\n",
		Wide:  "NAME     SIZE  NOTE\na�[31mb  10    long\n",
		JSON:  "{\n  \"names\": [\n    \"a\\u003cb\",\n    \"c\"\n  ]\n}\n",
		YAML:  "names:\n- a<b\n- c\n",
		Name:  "a�[31mb\nc�d�e\n",
	} {
		var output Output
		command := &cobra.Command{Use: "list"}
		output.AddFlag(command, Table, Wide, JSON, YAML, Name)
		if format != "" {
			if err := command.ParseFlags([]string{"-o", format}); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		err := output.Print(&out, value, rows)
		if diff := cmp.Diff(want, out.String()); err != nil || diff != "" {
			t.Errorf("-o %q: %v (-want +got):\n%s", format, err, diff)
		}
		if err := output.Print(broken{}, value, rows); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("-o %q to a broken pipe: %v", format, err)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWaiting(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]string{
		1999 * time.Millisecond: "",
		2001 * time.Millisecond: "lab: waiting\n",
		time.Minute:             "lab: waiting\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			done := Waiting(&out, "lab: waiting")
			time.Sleep(took)
			done()
			time.Sleep(time.Minute)
			synctest.Wait()
			if out.String() != want {
				t.Errorf("a wait of %s prints %q, want %q", took, out.String(), want)
			}
		})
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		terminal bool
		env      Environment
		want     bool
	}{
		"terminal":              {true, Environment{"TERM=xterm"}, true},
		"no terminal":           {false, Environment{"TERM=xterm"}, false},
		"no colors":             {true, Environment{"NO_COLOR=1"}, false},
		"NO_COLOR is empty":     {true, Environment{"NO_COLOR="}, true},
		"a terminal that can't": {true, Environment{"TERM=dumb"}, false},
	} {
		if got := colored(test.terminal, test.env); got != test.want {
			t.Errorf("%s: colored = %v", name, got)
		}
	}
	if isTerminal(&bytes.Buffer{}) {
		t.Error("a buffer is a terminal")
	}
	env := Environment{"HOME=/root", "HOMEPAGE=x=y"}
	if env.Get("HOME") != "/root" || env.Get("HOMEPAGE") != "x=y" || env.Get("HOM") != "" {
		t.Errorf("%q, %q, %q", env.Get("HOME"), env.Get("HOMEPAGE"), env.Get("HOM"))
	}
}

// tree returns a program with a group of commands.
func tree() *cobra.Command {
	root := &cobra.Command{Use: "lab", Short: "A lab", Long: "A lab."}
	group := &cobra.Command{Use: "clock", Short: "Steer the clock"}
	var output Output
	show := &cobra.Command{Use: "show", Short: "Print the time", Args: NoArgs, RunE: func(*cobra.Command, []string) error { return io.EOF }}
	output.AddFlag(show, Table, JSON)
	set := &cobra.Command{Use: "set TIME", Short: "Set the time", Args: NamedArgs, RunE: func(*cobra.Command, []string) error { return nil }}
	set.Flags().Int("zone", 0, "the zone")
	set.Flags().Int("offset", 0, "the offset")
	set.MarkFlagsMutuallyExclusive("zone", "offset")
	group.AddCommand(show, set)
	root.AddCommand(group)
	return root
}

func TestExecute(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]struct {
		code      int
		err, hint string
	}{
		"":                                {},
		"clock":                           {},
		"clock --help":                    {},
		"clock nothing --help":            {},
		"help clock":                      {},
		"clock set now":                   {},
		"clock show":                      {ExitFailure, "EOF", ""},
		"clcok":                           {ExitUsage, `unknown command "clcok" for "lab"`, "did you mean clock?"},
		"wrong --port 1":                  {ExitUsage, `unknown command "wrong" for "lab"`, "lab --help lists the commands"},
		"clock wrong":                     {ExitUsage, `unknown command "wrong" for "lab clock"`, "lab clock --help lists the commands"},
		"clock show now":                  {ExitUsage, `unexpected argument "now" (lab clock show takes flags only)`, ""},
		"clock set":                       {ExitUsage, "missing argument TIME (usage: lab clock set TIME)", ""},
		"clock set now then":              {ExitUsage, `unexpected argument "then" (usage: lab clock set TIME)`, ""},
		"clock set now --offest 1":        {ExitUsage, "unknown flag: --offest", "did you mean --offset?"},
		"clock set now --wrong":           {ExitUsage, "unknown flag: --wrong", "lab clock set --help lists the flags"},
		"clock set now -x":                {ExitUsage, "unknown shorthand flag: 'x' in -x", "lab clock set --help lists the flags"},
		"clock set now --zone":            {ExitUsage, "flag needs an argument: --zone", "lab clock set --help lists the flags"},
		"clock set now --zone a":          {ExitUsage, `--zone "a": expected an integer`, "lab clock set --help lists the flags"},
		"clock set n --zone 1 --offset 1": {ExitUsage, "if any flags in the group [zone offset] are set none of the others can be; [offset zone] were all set", "lab clock set --help shows the usage"},
		"clock show -o jsno":              {ExitUsage, `--output: unknown format "jsno" (supported: table, json)`, "did you mean json?"},
	} {
		var out, errs bytes.Buffer
		err := Execute(context.Background(), tree(), strings.Fields(arguments), Streams{Out: &out, Err: &errs})
		got, code := "", 0
		if err != nil {
			got, code = err.Error(), exitCode(err)
		}
		hint := ""
		if e, ok := errors.AsType[*Error](err); ok {
			hint = e.Hint
		}
		if code != want.code || got != want.err || hint != want.hint || errs.Len() > 0 {
			t.Errorf("lab %s: exit code %d, %q, hint %q, stderr %q; want %+v", arguments, code, got, hint, errs.String(), want)
		}
		if printed := out.Len() > 0; printed != (err == nil && arguments != "clock set now") {
			t.Errorf("lab %s prints %q", arguments, out.String())
		}
	}
}

func TestHelpListsExitCodes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Execute(context.Background(), tree(), []string{"--help"}, Streams{Out: &out}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), exitCodes) {
		t.Errorf("the help is %s", out.String())
	}
}

// TestPrintableTo checks that text is made printable however it is split.
func TestPrintableTo(t *testing.T) {
	t.Parallel()
	const text = "é日👩\tx\x1b[31m\u202e\u009b\xff\xe6\x97\nend\xf0\x9f"
	want := strings.TrimSuffix(PrintableLines(text), "\uFFFD\uFFFD") // the character at the end is incomplete
	for size := range len(text) {
		var out bytes.Buffer
		w := PrintableTo(&out)
		for chunk := range slices.Chunk([]byte(text), size+1) {
			if n, err := w.Write(chunk); err != nil || n != len(chunk) {
				t.Fatalf("%d, %v", n, err)
			}
		}
		if out.String() != want {
			t.Errorf("in parts of %d: %q, want %q", size+1, out.String(), want)
		}
	}
	if _, err := PrintableTo(failing{}).Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("an error of the writer is %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
