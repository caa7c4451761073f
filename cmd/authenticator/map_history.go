package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/encode"
	"github.com/kube-iam/authenticator/internal/history"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/mapedit"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// pastEdit is what map history prints of an edit for programs.
type pastEdit struct {
	Number          int       `json:"number"`
	Time            time.Time `json:"time"`
	Who             string    `json:"who"`
	UID             string    `json:"uid"`
	ResourceVersion string    `json:"resourceVersion"`
	// Changes are in words.
	Changes []string `json:"changes"`
}

func newMapHistory(p *program) *cobra.Command {
	var o mapOptions
	var output cli.Output
	command := &cobra.Command{
		Use:   "history [N]",
		Short: "List the edits of aws-auth, or show aws-auth as it was after one",
		Long: `List the edits of aws-auth in the cluster, the latest last: when each was made, who made
it, and who gained and lost access. With a number, print aws-auth as it was after that
edit, as a manifest.

The history is in the ConfigMap kube-system/aws-auth-history.`,
		Example: `  authenticator map history
  authenticator map history 3 > aws-auth.yaml`,
		Args: maxOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.checkNumber(p, args); err != nil {
				return err
			}
			entries, err := o.history(cmd.Context(), p)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				options, err := o.options(p, "aws-auth")
				if err != nil {
					return err
				}
				return printHistory(p, &output, entries, options)
			}
			entry, err := numbered(entries, args[0])
			if err != nil {
				return err
			}
			if output.String() == cli.JSON {
				return output.Print(p.out, mapedit.NewAWSAuth(entry.Data).Object, nil)
			}
			text, err := encode.YAML(mapedit.NewAWSAuth(entry.Data).Object)
			if err != nil {
				return fmt.Errorf("printing: %w", err)
			}
			return p.printf(p.out, "# after edit %d of %s, by %s\n%s", entry.Number, entry.Time.Format(time.RFC3339), cli.Printable(entry.Author()), text)
		},
	}
	o.addClusterFlags(command.Flags())
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML, cli.Name)
	return command
}

func newMapRollback(p *program) *cobra.Command {
	var o editOptions
	command := &cobra.Command{
		Use:   "rollback [N]",
		Short: "Restore aws-auth as it was before the last edit, or after an earlier one",
		Long: `Restore aws-auth as it was before the last edit or, with N, as it was after edit N of
"authenticator map history". It names who loses and who gains access, and asks first
even if nobody loses access; --yes skips the question. If the content before the last
edit would break a section that parses now, it restores the latest content that breaks
none. The history records a rollback as an edit too.`,
		Example: `  authenticator map rollback
  authenticator map rollback 3 --dry-run`,
		Args: maxOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.checkNumber(p, args); err != nil {
				return err
			}
			o.askAlways = true
			entries, err := o.history(cmd.Context(), p)
			if err != nil {
				return err
			}
			return o.change(cmd.Context(), p, func(current edit.Document) (mapedit.Edition, error) {
				entry, err := before(entries, current)
				if len(args) > 0 {
					entry, err = numbered(entries, args[0])
				}
				if err != nil {
					return mapedit.Edition{}, err
				}
				if broken := breaks(entry, current); len(broken) > 0 {
					return mapedit.Edition{}, &cli.Error{
						Code: cli.ExitFailure, Hint: "correct what this command prints, and apply it: " + o.command(p, "map", "history", strconv.Itoa(entry.Number)),
						Err: fmt.Errorf("after edit %d, %s does not parse", entry.Number, strings.Join(broken, ", ")),
					}
				}
				return mapedit.Edition{Document: edit.Data(entry.Data), Unchanged: fmt.Sprintf("unchanged: aws-auth is as after edit %d already", entry.Number)}, nil
			})
		},
	}
	o.addClusterFlags(command.Flags())
	o.addEditFlags(command)
	return command
}

// maxOne accepts the number of an edit, or nothing.
func maxOne(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return cli.Usagef("unexpected argument %q", args[1])
	}
	return nil
}

// checkNumber checks the number of an edit, if there is one.
func (o *mapOptions) checkNumber(p *program, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if n, err := strconv.Atoi(args[0]); err != nil || n < 1 {
		return &cli.Error{
			Code: cli.ExitUsage, Hint: "this command lists the edits: " + o.command(p, "map", "history"),
			Err: fmt.Errorf("%q is not the number of an edit", args[0]),
		}
	}
	return nil
}

// history returns the entries of the history, and warns of those that cannot be read.
func (o *mapOptions) history(ctx context.Context, p *program) ([]history.Entry, error) {
	client, err := o.client(p)
	if err != nil {
		return nil, err
	}
	defer cli.Waiting(p.err, "authenticator: waiting for the API server")()
	entries, skipped, err := history.List(ctx, client)
	for _, cause := range skipped {
		fmt.Fprintf(p.err, "authenticator: warning: skipped %s\n", cli.Printable(cause.Error()))
	}
	return entries, kube.WithTimeout(err)
}

// before returns the last entry that differs from the current content, and breaks none of
// its sections.
func before(entries []history.Entry, current edit.Document) (history.Entry, error) {
	data, _ := current.(edit.Data)
	for _, entry := range slices.Backward(entries) {
		if !maps.Equal(entry.Data, data) && len(breaks(entry, current)) == 0 {
			return entry, nil
		}
	}
	return history.Entry{}, errors.New("the history has no earlier content of aws-auth (it begins when a server or \"authenticator map\" first sees an edit, and needs the ConfigMap kube-system/aws-auth-history)")
}

// breaks returns the sections that parse in the current content, but not in an entry. The
// servers would keep their content, so no difference of access would show it.
func breaks(entry history.Entry, current edit.Document) []string {
	data, _ := current.(edit.Data)
	broken := awsauth.Parse(data, nil, awsauth.Options{}).Broken()
	return slices.DeleteFunc(awsauth.Parse(entry.Data, nil, awsauth.Options{}).Broken(), func(section string) bool {
		return slices.Contains(broken, section)
	})
}

func numbered(entries []history.Entry, number string) (history.Entry, error) {
	n, _ := strconv.Atoi(number) // checked before
	var known []string
	for _, entry := range entries {
		if entry.Number == n {
			return entry, nil
		}
		known = append(known, strconv.Itoa(entry.Number))
	}
	if len(known) == 0 {
		return history.Entry{}, fmt.Errorf("the history has no edit %d: it is empty", n)
	}
	return history.Entry{}, fmt.Errorf("the history has no edit %d: it has %s to %s", n, known[0], known[len(known)-1])
}

// sectionChanges says which sections an edit broke, and which it repaired.
func sectionChanges(before, after *awsauth.Result) (changes []string) {
	for _, section := range after.Broken() {
		switch {
		case slices.Contains(before.Broken(), section):
		case after.Kept(section):
			changes = append(changes, section+" no longer parses: its last good content stays in force")
		default:
			changes = append(changes, section+" does not parse: it maps nobody")
		}
	}
	for _, section := range before.Broken() {
		if !slices.Contains(after.Broken(), section) {
			changes = append(changes, "the error in "+section+" is gone")
		}
	}
	return changes
}

// maxChanges is the number of changes that the table shows of an edit.
const maxChanges = 3

func printHistory(p *program, output *cli.Output, entries []history.Entry, options awsauth.Options) error {
	var last *awsauth.Result
	list := make([]pastEdit, 0, len(entries))
	for i, entry := range entries {
		before := last
		if i > 0 && entries[i-1].UID != entry.UID {
			last = nil // an aws-auth that is created again has no last good content
		}
		last = awsauth.Parse(entry.Data, last, options)
		e := pastEdit{entry.Number, entry.Time, entry.Author(), entry.UID, entry.ResourceVersion, []string{}}
		if i > 0 {
			e.Changes = append(e.Changes, sectionChanges(before, last)...)
			for _, change := range mapper.Diff(before.Table, last.Table).Changes {
				e.Changes = append(e.Changes, change.String())
			}
		}
		list = append(list, e)
	}
	return output.Print(p.out, list, func(wide bool) cli.Rows {
		rows := cli.Rows{Header: []string{"EDIT", "TIME", "WHO", "CHANGE"}}
		if wide {
			rows.Header = []string{"EDIT", "TIME", "WHO", "UID", "VERSION", "CHANGE"}
		}
		for i, e := range list {
			text := "nobody gains, loses or changes access"
			switch n := len(e.Changes); {
			case i == 0:
				text = "the oldest that is kept"
			case n > maxChanges:
				text = strings.Join(e.Changes[:maxChanges], "; ") + fmt.Sprintf("; %d more", n-maxChanges)
			case n > 0:
				text = strings.Join(e.Changes, "; ")
			}
			cells := []any{e.Number, e.Time.Format(time.RFC3339), e.Who}
			if wide {
				cells = append(cells, e.UID, e.ResourceVersion)
			}
			rows.Add(append(cells, text)...)
		}
		return rows
	})
}
