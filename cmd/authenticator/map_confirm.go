package main

import (
	"bufio"
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
			Err: fmt.Errorf("the edit changes who has access, and there is no terminal to ask on; without --yes nothing is changed: %s", strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")),
		}
	}
	fmt.Fprintf(p.err, "%sEdit %s? [y/N] ", text, target.name())
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // ends with the terminal, or with the process
		line, err := bufio.NewReader(terminal).ReadString('\n')
		answered <- answer{line, err}
	}()
	var is answer
	select {
	case is = <-answered:
	case <-ctx.Done():
		is.err = context.Cause(ctx)
	}
	if is.err != nil {
		fmt.Fprintln(p.err) // ends the line of the question
		return fmt.Errorf("reading your answer: %w: nothing is changed", is.err)
	}
	switch strings.ToLower(strings.TrimSpace(is.line)) {
	case "y", "yes":
		return nil
	}
	return &cli.Error{Code: cli.ExitFailure, Err: fmt.Errorf("you did not confirm: nothing is changed")}
}
