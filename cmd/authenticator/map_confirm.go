package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/kube-iam/authenticator/internal/cli"
)

// confirm shows what an edit does, and asks whether to make it. Without a terminal
// nobody can answer.
func (p *program) confirm(text string, target mapTarget) error {
	terminal, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) || target.prints() {
		return &cli.Error{
			Code: cli.ExitUsage, Hint: "pass --yes to make the edit, or --dry-run to see all of it",
			Err: fmt.Errorf("the edit changes who has access, and there is no terminal to ask on; without --yes nothing is changed: %s", strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")),
		}
	}
	fmt.Fprintf(p.err, "%sEdit %s? [y/N] ", text, target.name())
	line, err := bufio.NewReader(terminal).ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading your answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return &cli.Error{Code: cli.ExitFailure, Err: fmt.Errorf("you did not confirm: nothing is changed")}
}
