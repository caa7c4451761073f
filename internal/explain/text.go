package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kube-iam/authenticator/internal/cli"
)

// These bounds make an explanation fit on a screen. Format wide has none.
const (
	shownNearMisses = 3
	shownProblems   = 2
)

// Print prints an explanation for people: the answer, who and where, what
// nearly matched, and last the sentence and the command that mends it.
func (e Explanation) Print(out io.Writer, wide bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", headline(e))
	writeFacts(&b, e)
	writeNearMisses(&b, e, wide)
	writeProblems(&b, e, wide)
	if wide {
		writeRules(&b, e)
	}
	for i, difference := range e.EKS {
		if i == 0 {
			b.WriteString("\nOn EKS:\n")
		}
		fmt.Fprintf(&b, "  %s\n", cli.Printable(difference))
	}
	fmt.Fprintf(&b, "\n%s\n", cli.Printable(e.Sentence))
	if e.Command != "" {
		fmt.Fprintf(&b, "  %s\n", cli.Printable(e.Command))
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// headline returns the answer.
func headline(e Explanation) string {
	switch e.Result {
	case Mapped:
		if e.Foiled() {
			return "MAPPED to " + cli.Printable(e.User.Username) + ", but only by a server that reads the file itself"
		}
		return "MAPPED to " + cli.Printable(e.User.Username)
	case NotMapped:
		return "NOT MAPPED (" + cli.Printable(string(e.Outcome)) + ")"
	default:
		return "UNDECIDED"
	}
}

func writeFacts(w io.Writer, e Explanation) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, cli.Printable(text))
		}
	}
	row("CLUSTER ID", e.ClusterID)
	if e.Token != nil {
		row("TOKEN", tokenText(*e.Token))
		row("", tokenProblem(*e.Token))
	}
	if p := e.Principal; p != nil {
		row("AWS IDENTITY", p.ARN+verifiedText(p.Verified))
		if p.CanonicalARN != p.ARN {
			row("CANONICAL ARN", p.CanonicalARN)
		}
		row("", p.Note)
	}
	if e.Mappings.From != "" {
		row("MAPPINGS", e.Mappings.From+" ("+e.Mappings.Because+")")
	}
	row("", e.Mappings.Error)
	for _, s := range e.Mappings.Sources {
		row("", sourceText(s, len(e.Mappings.Sources) > 1))
	}
	if e.Rule != nil {
		row("RULE", e.Rule.Describe())
	}
	if e.User != nil {
		row("USERNAME", e.User.Username)
		row("GROUPS", GroupsText(e.User.Groups))
	}
	_ = table.Flush() // the writer is in memory
}

// tokenProblem returns what is wrong with a token, or with a clock.
func tokenProblem(t Token) string {
	if t.Problem == "" && t.Clocks != nil {
		return t.Clocks.String()
	}
	return t.Problem
}

func verifiedText(verified bool) string {
	if verified {
		return " (verified by AWS STS)"
	}
	return ""
}

// GroupsText returns groups for people.
func GroupsText(groups []string) string {
	if len(groups) == 0 {
		return "none"
	}
	return strings.Join(groups, ", ")
}

// tokenText describes a token.
func tokenText(t Token) string {
	var parts []string
	if t.AccessKeyID != "" {
		parts = append(parts, "access key "+t.AccessKeyID)
	}
	if t.Host != "" {
		parts = append(parts, t.Host)
	}
	if t.AgeSeconds != nil {
		age := time.Duration(*t.AgeSeconds) * time.Second
		if age < 0 {
			parts = append(parts, "signed "+(-age).String()+" in the future")
		} else {
			parts = append(parts, "signed "+age.String()+" ago")
		}
	}
	if len(parts) == 0 {
		return "malformed"
	}
	text := strings.Join(parts, ", ")
	if !t.Verified {
		text += " (not verified)"
	}
	return text
}

func sourceText(s Source, named bool) string {
	text := fmt.Sprintf("mappings: %d, errors: %d, warnings: %d", s.Mappings, s.Errors, s.Warnings)
	if !s.Read {
		text = "not read"
	}
	if !s.Read && !named {
		return "" // the error says it
	}
	if named {
		text = s.Place + ": " + text
	}
	return text
}

// Describe describes the place of a rule, and what it is for.
func (r Rule) Describe() string { return r.Position() + " for " + r.For }

// Position returns where a rule is.
func (r Rule) Position() string {
	switch {
	case r.Section == "":
		return r.Source
	case r.Line == 0:
		return r.Section
	default:
		return fmt.Sprintf("%s line %d", r.Section, r.Line)
	}
}

func writeNearMisses(w io.Writer, e Explanation, wide bool) {
	if len(e.NearMisses) == 0 {
		return
	}
	shown := e.NearMisses
	if !wide {
		shown = shown[:min(len(shown), shownNearMisses)]
	}
	fmt.Fprintln(w, "\nNear misses, the nearest first:")
	for _, miss := range shown {
		fmt.Fprintf(w, "  %s\n    %s\n", cli.Printable(miss.Describe()), cli.Printable(miss.Why))
	}
	if more := len(e.NearMisses) - len(shown); more > 0 {
		fmt.Fprintf(w, "  and %d more (-o wide)\n", more)
	}
}

func writeProblems(w io.Writer, e Explanation, wide bool) {
	shown := slices.DeleteFunc(slices.Clone(e.Problems), func(p Problem) bool { return isNearMiss(e, p) })
	if len(shown) == 0 {
		return
	}
	all := len(shown)
	if !wide {
		shown = shown[:min(len(shown), shownProblems)]
	}
	fmt.Fprintln(w, "\nMistakes in the mappings that concern the caller:")
	for _, p := range shown {
		fmt.Fprintf(w, "  %s\n", cli.Printable(problemText(p)))
	}
	if more := all - len(shown); more > 0 {
		fmt.Fprintf(w, "  and %d more (-o wide)\n", more)
	}
}

// isNearMiss reports whether a problem is described as a near miss already.
func isNearMiss(e Explanation, p Problem) bool {
	return slices.ContainsFunc(e.NearMisses, func(miss NearMiss) bool {
		return miss.Source == p.Source && miss.Section == p.Section && miss.Line == p.Line
	})
}

func problemText(p Problem) string {
	place := Rule{Source: p.Source, Section: p.Section, Line: p.Line}.Position()
	text := place + ": " + p.Message
	if p.Effect != "" {
		text += "; " + p.Effect
	}
	return text + " (" + p.Fix + ")"
}

func writeRules(w io.Writer, e Explanation) {
	fmt.Fprintf(w, "\nRules, in the order in which they were tried (%d):\n", e.RulesTried)
	for _, r := range e.Rules {
		why := "matches"
		if !r.Matched {
			why = r.Reason
		}
		fmt.Fprintf(w, "  %s\n    %s\n", cli.Printable(r.Describe()), cli.Printable(why))
	}
	if more := e.RulesTried - len(e.Rules); more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}
