package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func newClock() *cobra.Command {
	var where place
	command := &cobra.Command{
		Use:   "clock",
		Short: "Steer the clock of the local AWS",
		Long: `Steer the time that the local AWS goes by: sessions expire by it, and signatures
are judged by it. It is the real time until it is steered, and after resume.

SDKs that correct their clock by the server's follow at their second try. The AWS
CLI does not: beyond 15 minutes its signatures have expired, so advance, look,
and resume.`,
		Example: `  localaws clock advance 14m
  localaws clock freeze
  localaws clock set 2026-11-23T08:00:00Z
  localaws clock resume`,
	}
	where.addFlags(command.PersistentFlags())
	type order struct {
		Action string `json:"action"`
		By     string `json:"by,omitempty"`
		To     string `json:"to,omitempty"`
	}
	steer := func(use, short string, args cobra.PositionalArgs, order func(args []string) order) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			var now clock
			if err := where.askJSON(cmd.Context(), http.MethodPost, "clock", order(args), &now); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), now)
			return nil
		}}
	}
	command.AddCommand(
		&cobra.Command{Use: "show", Short: "Print the time", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			var now clock
			if err := where.askJSON(cmd.Context(), http.MethodGet, "clock", nil, &now); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), now)
			return nil
		}},
		steer("freeze", "Stop it where it is", cobra.NoArgs, func([]string) order { return order{Action: "freeze"} }),
		steer("advance DURATION", "Move it on, or back if negative (after --)", cobra.ExactArgs(1), func(args []string) order { return order{Action: "advance", By: args[0]} }),
		steer("set TIME", "Move it to a time, in RFC 3339", cobra.ExactArgs(1), func(args []string) order { return order{Action: "set", To: args[0]} }),
		steer("resume", "Go by the real time again", cobra.NoArgs, func([]string) order { return order{Action: "resume"} }),
	)
	return command
}

// A clock is that of the server.
type clock struct {
	Now    time.Time
	Frozen bool
}

// String is the time, and how it differs from the real one.
func (c clock) String() string {
	text := c.Now.Format(time.RFC3339)
	if c.Frozen {
		text += ", frozen"
	}
	switch difference := time.Until(c.Now).Round(time.Second); {
	case difference > 0:
		text += fmt.Sprintf(", %s ahead", difference)
	case difference < 0:
		text += fmt.Sprintf(", %s behind", -difference)
	}
	return text
}
