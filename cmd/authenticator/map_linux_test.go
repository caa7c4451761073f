package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/mapedit"
)

// openTerminal returns the two ends of a pseudo-terminal: that of a person, and that of a
// program.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// TestConfirm answers the question that comes before somebody loses access.
func TestConfirm(t *testing.T) {
	t.Parallel()
	const end = "\x04" // Ctrl-D
	for _, test := range []struct{ typed, want string }{
		{"y\n", ""},
		{" YES \n", ""},
		{"n\n", "you did not confirm: nothing is changed"},
		{"\n", "you did not confirm: nothing is changed"},
		{"yes please\n", "you did not confirm: nothing is changed"},
		{end, "reading your answer: EOF: nothing is changed"},
		{"y" + end + end, "reading your answer: EOF: nothing is changed"},
	} {
		person, terminal := openTerminal(t)
		if _, err := io.WriteString(person, test.typed); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		p := &program{in: terminal, err: &said}
		err := p.confirm(t.Context(), "loses access: bob\n", &mapedit.File{Path: "aws-auth.yaml"})
		if got := fmt.Sprint(err); got != test.want && (err != nil || test.want != "") {
			t.Errorf("%q: %s, want %q", test.typed, got, test.want)
		}
		if want := "loses access: bob\nEdit aws-auth.yaml? [y/N] "; !strings.HasPrefix(said.String(), want) {
			t.Errorf("it asks %q, want %q", said.String(), want)
		}
	}
}

// asked is closed when the question is asked.
type asked chan struct{}

func (a asked) Write(text []byte) (int, error) {
	if line := string(text); strings.Contains(line, "[y/N]") || strings.Contains(line, "MFA code") {
		close(a)
	}
	return len(text), nil
}

// TestQuestionsAreInterrupted checks that Ctrl-C at a question ends the command.
func TestQuestionsAreInterrupted(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(context.Context, *program) error{
		"an edit": func(ctx context.Context, p *program) error { return p.confirm(ctx, "", &mapedit.File{Path: "f"}) },
		"the MFA code": func(ctx context.Context, p *program) error {
			_, err := p.askMFA(ctx, execInfo{})()
			return err
		},
	} {
		_, terminal := openTerminal(t)
		question := make(asked)
		ctx, cancel := context.WithCancelCause(t.Context())
		interrupted := errors.New("interrupt signal received")
		go func() { <-question; cancel(interrupted) }()
		if err := ask(ctx, &program{in: terminal, err: question}); !errors.Is(err, interrupted) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestConfirmNeedsTerminal checks that what is not a person cannot answer.
func TestConfirmNeedsTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(t.TempDir() + "/yes")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, terminal := openTerminal(t)
	for name, p := range map[string]*program{
		"a pipe":        {in: strings.NewReader("y\n")},
		"a file":        {in: file},
		"a file to get": {in: terminal},
	} {
		target := &mapedit.File{Path: "f"}
		if name == "a file to get" {
			target.Path = "-"
		}
		err := p.confirm(t.Context(), "loses access: bob\n", target)
		if coded, ok := errors.AsType[*cli.Error](err); !ok || coded.Code != cli.ExitUsage || !strings.Contains(err.Error(), "without --yes nothing is changed: loses access: bob") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBeginning checks that an error does not list thousands who lose access.
func TestBeginning(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"loses access: bob\n":                     "loses access: bob",
		strings.Repeat("a\n", maxLines):           strings.Repeat("a; ", maxLines-1) + "a",
		strings.Repeat("a\n", maxLines+2) + "b\n": strings.Repeat("a; ", maxLines) + "3 more",
	} {
		if got := beginning(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
