package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/kube-iam/authenticator/internal/cli"
)

// confirm shows what an edit does, and asks whether to make it. It is an error if there is
// no terminal, or ctx ends before the answer.
func (p *program) confirm(ctx context.Context, text string, target mapTarget) error {
	terminal, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) || target.prints() {
		return &cli.Error{
			Code: cli.ExitUsage, Hint: "pass --yes to make the edit, or --dry-run to see all of it",
			Err: fmt.Errorf("the edit changes who has access, and there is no terminal to ask on; without --yes nothing is changed: %s", beginning(text)),
		}
	}
	fmt.Fprintf(p.err, "%sEdit %s? [y/N] ", text, target.name())
	answer, err := readLine(ctx, terminal)
	if err != nil {
		fmt.Fprintln(p.err) // ends the line of the question
		return fmt.Errorf("reading your answer: %w: nothing is changed", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &cli.Error{Code: cli.ExitFailure, Err: fmt.Errorf("you did not confirm: nothing is changed")}
}

// maxLines is the number of changes in an error.
const maxLines = 10

// beginning returns the first lines of a text as one.
func beginning(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if more := len(lines) - maxLines; more > 0 {
		lines = append(lines[:maxLines], fmt.Sprintf("%d more", more))
	}
	return strings.Join(lines, "; ")
}
