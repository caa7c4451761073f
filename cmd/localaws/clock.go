package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
)

func newClock(env cli.Environment) *cobra.Command {
	var where place
	command := &cobra.Command{
		Use:   "clock",
		Short: "Control the clock of the local AWS",
		Long: `Control the clock that the local AWS uses to expire sessions and to check
signatures. It follows real time until you change it, and again after resume.

SDKs that correct for clock skew succeed at their second attempt. The AWS CLI does
not correct: its signatures are rejected when the clocks differ by more than 15
minutes. So advance the clock, check its effect with another client, and resume.`,
		Example: `  localaws clock advance 14m
  localaws clock advance -- -5m
  localaws clock freeze
  localaws clock set 2026-11-23T08:00:00Z
  localaws clock resume`,
	}
	where.addTo(command, env)
	command.AddCommand(
		where.clockCommand(cobra.Command{Use: "show", Short: "Print the time", Example: "  localaws clock show", Args: cli.NoArgs}, nil),
		where.clockCommand(cobra.Command{
			Use: "freeze", Short: "Stop the clock at its current time", Example: "  localaws clock freeze", Args: cli.NoArgs,
		}, func([]string) clockOrder { return clockOrder{Action: "freeze"} }),
		where.clockCommand(cobra.Command{
			Use: "advance DURATION", Short: "Move the clock forward, or back with -- before a negative duration", Args: cli.NamedArgs,
			Example: "  localaws clock advance 14m\n  localaws clock advance -- -5m",
		}, func(args []string) clockOrder { return clockOrder{Action: "advance", By: args[0]} }),
		where.clockCommand(cobra.Command{
			Use: "set TIME", Short: "Set the clock to a time in RFC 3339", Example: "  localaws clock set 2026-11-23T08:00:00Z", Args: cli.NamedArgs,
		}, func(args []string) clockOrder { return clockOrder{Action: "set", To: args[0]} }),
		where.clockCommand(cobra.Command{
			Use: "resume", Short: "Return to real time", Example: "  localaws clock resume", Args: cli.NoArgs,
		}, func([]string) clockOrder { return clockOrder{Action: "resume"} }),
	)
	return command
}

// A clockOrder is a change of the server's clock.
type clockOrder struct {
	Action string `json:"action"`
	By     string `json:"by,omitempty"`
	To     string `json:"to,omitempty"`
}

// clockCommand completes a command, which sends an order, if there is one, and
// prints the time.
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

// A clock is the state of the server's clock.
type clock struct {
	Now    time.Time
	Frozen bool
}

// String returns the time, and its difference from real time.
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
