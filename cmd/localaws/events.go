package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

func newEvents(env cli.Environment) *cobra.Command {
	var where place
	var follow bool
	var since string
	var output cli.Output
	command := &cobra.Command{
		Use:   "events",
		Short: "Print the calls, their callers and their results",
		Long: `Print the calls to the local AWS with their callers and results, oldest first. The
server keeps at most the last 10,000 in memory; aws cloudtrail lookup-events finds
those of a region. With -o json, each line is a CloudTrail record.`,
		Example: `  localaws events --since 10m
  localaws events --follow
  localaws events -o json | jq 'select(.errorCode)'`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if follow {
				query.Set("follow", "true")
			}
			if since != "" {
				query.Set("since", since)
			}
			var health struct{ Accounts []string }
			if err := where.askJSON(cmd.Context(), http.MethodGet, "health", nil, &health); err != nil {
				return err
			}
			answer, err := where.ask(cmd.Context(), http.MethodGet, "events?"+query.Encode(), nil)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if err := printers(len(health.Accounts) > 1)[output.String()](cmd.OutOrStdout(), answer.Body); err != nil && cmd.Context().Err() == nil {
				return fmt.Errorf("reading the events: %w", err)
			}
			return nil
		},
	}
	where.addTo(command, env)
	flags := command.Flags()
	flags.BoolVarP(&follow, "follow", "f", false, "print new events as they arrive, until interrupted")
	flags.StringVar(&since, "since", "", "start of the events, as a time in RFC 3339 or a duration ago, such as 10m (default: all)")
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON)
	return command
}

// A printer prints events, read one a line.
type printer func(out io.Writer, events io.Reader) error

// printers returns the printers by format. With several accounts, callers have theirs.
func printers(several bool) map[string]printer {
	return map[string]printer{
		cli.JSON: func(out io.Writer, events io.Reader) error {
			return eachEvent(events, func(event json.RawMessage) error { return cli.PrintLine(out, event) })
		},
		cli.Table: columns("%-20s  %-31s  %-31s  %s\n", []any{"TIME", "CALL", "WHO", "RESULT"}, func(event localaws.Event) []any {
			return []any{event.EventTime.Format(time.RFC3339), call(event), who(event.UserIdentity, several), cmp.Or(event.ErrorCode, "ok")}
		}),
		cli.Wide: columns("%-20s  %-31s  %-31s  %-21s  %-15s  %-21s  %s\n", []any{"TIME", "CALL", "WHO", "KEY", "FROM", "RESULT", "MESSAGE"}, func(event localaws.Event) []any {
			return []any{
				event.EventTime.Format(time.RFC3339), call(event), who(event.UserIdentity, several), event.UserIdentity.AccessKeyID, event.SourceIPAddress,
				cmp.Or(event.ErrorCode, "ok"), event.ErrorMessage,
			}
		}),
	}
}

// columns prints events in columns of fixed width: later rows are not known yet.
func columns(format string, header []any, row func(localaws.Event) []any) printer {
	return func(out io.Writer, events io.Reader) error {
		fmt.Fprintf(out, format, header...)
		return eachEvent(events, func(event localaws.Event) error {
			cells := row(event)
			for i, cell := range cells {
				cells[i] = cli.Printable(fmt.Sprint(cell))
			}
			_, err := fmt.Fprintf(out, format, cells...)
			return err
		})
	}
}

// eachEvent calls print for each event.
func eachEvent[E any](events io.Reader, print func(E) error) error {
	for decoder := json.NewDecoder(events); ; {
		var event E
		if err := decoder.Decode(&event); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := print(event); err != nil {
			return err
		}
	}
}

func call(event localaws.Event) string {
	return strings.TrimSuffix(event.EventSource, ".amazonaws.com") + ":" + event.EventName
}

// who returns the caller, and the caller's account if there are several.
func who(caller localaws.UserIdentity, several bool) string {
	switch parts := strings.SplitN(caller.ARN, ":", 6); {
	case len(parts) == 6 && several:
		return parts[4] + ":" + parts[5]
	case len(parts) == 6:
		return parts[5]
	case caller.Type == "WebIdentityUser":
		return "web-identity/" + caller.UserName
	case caller.AccountID != "": // of whom another account sees no more
		return "account " + caller.AccountID
	}
	return "unknown"
}
