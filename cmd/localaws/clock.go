package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
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
	command.AddCommand(
		where.clockCommand(cobra.Command{Use: "show", Short: "Print the time", Example: "  localaws clock show", Args: cli.NoArgs}, nil),
		where.clockCommand(cobra.Command{
			Use: "freeze", Short: "Stop it where it is", Example: "  localaws clock freeze", Args: cli.NoArgs,
		}, func([]string) clockOrder { return clockOrder{Action: "freeze"} }),
		where.clockCommand(cobra.Command{
			Use: "advance DURATION", Short: "Move it on, or back if negative (after --)", Args: cobra.ExactArgs(1),
			Example: "  localaws clock advance 14m\n  localaws clock advance -- -5m",
		}, func(args []string) clockOrder { return clockOrder{Action: "advance", By: args[0]} }),
		where.clockCommand(cobra.Command{
			Use: "set TIME", Short: "Move it to a time, in RFC 3339", Example: "  localaws clock set 2026-11-23T08:00:00Z", Args: cobra.ExactArgs(1),
		}, func(args []string) clockOrder { return clockOrder{Action: "set", To: args[0]} }),
		where.clockCommand(cobra.Command{
			Use: "resume", Short: "Go by the real time again", Example: "  localaws clock resume", Args: cli.NoArgs,
		}, func([]string) clockOrder { return clockOrder{Action: "resume"} }),
	)
	return command
}

// A clockOrder is what the server's clock is to do.
type clockOrder struct {
	Action string `json:"action"`
	By     string `json:"by,omitempty"`
	To     string `json:"to,omitempty"`
}

// clockCommand completes a command: it sends an order, if there is one, and prints
// the time.
func (p *place) clockCommand(command cobra.Command, order func(args []string) clockOrder) *cobra.Command {
	command.RunE = func(cmd *cobra.Command, args []string) error {
		method, body := http.MethodGet, any(nil)
		if order != nil {
			method, body = http.MethodPost, order(args)
		}
		var now clock
		if err := p.askJSON(cmd.Context(), method, "clock", body, &now); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), now)
		return nil
	}
	return &command
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
