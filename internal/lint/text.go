package lint

import (
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A Checked is a file that was checked.
type Checked struct {
	// Name is the path of the file, or what the text is.
	Name string
	*Report
	// Fixed has the problems that were fixed.
	Fixed []Fixed
}

// Text returns the problems of a file for people, as a compiler prints them: place,
// message, the line with a caret below the place, effect and fix.
func (c Checked) Text() string {
	var b strings.Builder
	for _, fixed := range c.Fixed {
		fmt.Fprintf(&b, "%s: fixed: %s (%s)\n", c.place(fixed.Problem), cli.Printable(fixed.Problem.Message), fixed.Problem.Code)
		for _, change := range fixed.Gains {
			fmt.Fprintf(&b, "  %s\n", cli.Printable(change.String()))
		}
	}
	for _, p := range c.Problems {
		fmt.Fprintf(&b, "%s: %s: %s (%s)\n", c.place(p), p.Severity, cli.Printable(p.Message), p.Code)
		if e := c.excerpt(p); e.line != "" {
			number := fmt.Sprint(p.Line)
			fmt.Fprintf(&b, "  %s | %s\n  %s | %s\n", number, e.line, strings.Repeat(" ", len(number)), e.caret)
		}
		if p.Effect != "" {
			fmt.Fprintf(&b, "  effect: %s\n", cli.Printable(p.Effect))
		}
		if p.Fix != "" {
			fmt.Fprintf(&b, "  fix: %s\n", cli.Printable(p.Fix))
		}
	}
	fmt.Fprintf(&b, "%s is %s: %s\n", cli.Printable(c.Name), c.Kind, c.summary())
	return b.String()
}

// place returns the place of a problem, as in file.yaml:3:5.
func (c Checked) place(p mapper.Problem) string {
	place := c.Name
	if _, whole := c.texts[""]; !whole && p.Section != "" {
		place += " " + p.Section
	}
	if p.Line > 0 {
		place += fmt.Sprintf(":%d", p.Line)
	}
	if p.Column > 0 {
		place += fmt.Sprintf(":%d", p.Column)
	}
	return cli.Printable(place)
}

func (c Checked) summary() string {
	errs, warnings := mapper.Count(c.Problems, mapper.Error), mapper.Count(c.Problems, mapper.Warning)
	summary := "no problems"
	if errs+warnings > 0 {
		summary = fmt.Sprintf("errors: %d, warnings: %d", errs, warnings)
	}
	if len(c.Fixed) > 0 {
		summary += fmt.Sprintf(", fixed: %d", len(c.Fixed))
	}
	return summary
}
