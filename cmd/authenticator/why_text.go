package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/internal/encode"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/shell"
)

// maxWhy is how many characters of a reason are in a table that is not wide.
const maxWhy = 80

// whyCells returns the row of a decision.
func whyCells(e decisions.Entry, wide bool) []any {
	why := []rune(whySentence(e))
	if !wide && len(why) > maxWhy {
		why = append(why[:maxWhy-1], '…')
	}
	cells := []any{e.Time.UTC().Format(time.RFC3339), cmp.Or(e.ID, "-")}
	if wide {
		cells = append(cells, e.Cluster)
	}
	return append(cells, e.Outcome, whoIsIt(e), string(why))
}

// printLine prints a decision that came during a watch.
func (o *whyOptions) printLine(p *program, e decisions.Entry) (err error) {
	var text []byte
	switch o.output.String() {
	case cli.JSON:
		text, err = encode.JSONLine(e)
	case cli.YAML:
		text, err = encode.YAML(e)
		text = append([]byte("---\n"), text...)
	default:
		line := strings.TrimSuffix(fmt.Sprintln(whyCells(e, o.output.String() == cli.Wide)...), "\n")
		text = fmt.Appendln(nil, cli.Printable(line))
	}
	if err == nil {
		_, err = p.out.Write(text)
	}
	if err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// whoIsIt returns whom a decision is about.
func whoIsIt(e decisions.Entry) string {
	switch {
	case e.CanonicalARN != "":
		return cmp.Or(e.ARN, e.CanonicalARN)
	case e.Unverified != nil && e.Unverified.AccessKeyID != "":
		return "access key " + e.Unverified.AccessKeyID + " (not verified)"
	default:
		return "unknown"
	}
}

// whySentence returns the reason of a decision in plain words.
func whySentence(e decisions.Entry) string {
	switch {
	case e.Outcome == authn.Unmapped:
		return "no mapping matches"
	case e.Clocks != nil:
		return e.Clocks.String()
	case e.Outcome == authn.Refused && strings.Contains(e.Error, "SignatureDoesNotMatch"):
		return "STS refused the signature: the token was made for another cluster ID, or with a wrong secret access key"
	}
	return e.Error
}

// whyText returns all about a decision, for people.
func (o *whyOptions) whyText(e decisions.Entry) string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, cli.Printable(text))
		}
	}
	row("DECISION", e.ID)
	row("TIME", e.Time.UTC().Format(time.RFC3339))
	row("CLUSTER ID", e.Cluster)
	row("OUTCOME", string(e.Outcome))
	if c := e.Unverified; c != nil {
		row("CLAIMS", strings.TrimPrefix(fmt.Sprintf("access key %s, region %s, host %s (not verified)", cmp.Or(c.AccessKeyID, "hidden"), cmp.Or(c.Region, "none"), c.Host), " "))
	}
	row("AWS IDENTITY", e.ARN)
	row("ACCESS KEY", e.AccessKeyID)
	if e.Rule.Source != "" {
		row("MAPPING", strings.TrimSpace(e.Rule.Source+" "+e.Rule.Section+lineText(e.Rule.Line)))
	}
	row("WHY", whySentence(e))
	_ = table.Flush() // a strings.Builder never fails
	sentence, command := o.whyNext(e)
	fmt.Fprintf(&b, "\n%s\n", cli.Printable(sentence))
	if command != "" {
		fmt.Fprintf(&b, "  %s\n", cli.Printable(command))
	}
	return b.String()
}

func lineText(line int) string {
	if line == 0 {
		return ""
	}
	return " line " + strconv.Itoa(line)
}

// whyNext returns what to do about a decision, and the command for it; the latter is empty
// if there is none.
func (o *whyOptions) whyNext(e decisions.Entry) (sentence, command string) {
	if e.Clocks != nil {
		return e.Clocks.Remedy(), ""
	}
	switch e.Outcome {
	case authn.Unmapped, authn.Denied:
		return "Find the mapping that nearly matches:", o.explain(e, "--arn", cmp.Or(e.ARN, e.CanonicalARN))
	case authn.Malformed, authn.Expired, authn.Refused:
		return "Ask for a new token, and check it:",
			"authenticator token --cluster-id " + shell.Quote(e.Cluster) + " --token-only | " + o.explain(e, "--token", "-")
	case authn.MappingUnknown:
		return "Check that the server has read its mappings: GET /readyz on its health port says which source is missing.", ""
	default:
		return "The server could not ask STS. Check the network to it, and the metrics of the server.", ""
	}
}

// explain returns the command that explains a decision with the mappings of the server
// that made it.
func (o *whyOptions) explain(e decisions.Entry, about ...string) string {
	command := append([]string{"authenticator", "explain", "--cluster-id", e.Cluster}, about...)
	if o.askPods {
		command = append(command, o.cluster.kubectl.Flags()...)
	} else if o.stateDir != settings.DefaultStateDir {
		command = append(command, "--state-dir", o.stateDir)
	}
	for i, word := range command {
		command[i] = shell.Quote(word)
	}
	return strings.Join(command, " ")
}
