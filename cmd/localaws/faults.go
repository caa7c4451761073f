package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

func newFaults(env cli.Environment) *cobra.Command {
	var where place
	command := &cobra.Command{
		Use:   "faults",
		Short: "Make calls fail, to test clients",
		Long: `Make calls to the local AWS fail, wait or end without a response, until you clear
the faults or stop the server. A call that fails because of a fault has no effect.`,
		Example: `  localaws faults add sts:GetCallerIdentity throttle --rate 0.5
  localaws faults add 'iam:*' latency --latency 2s
  localaws faults add '*' error --status 503 --count 3
  localaws faults list
  localaws faults clear`,
	}
	where.addTo(command, env)
	command.AddCommand(newFaultsAdd(&where), newFaultsList(&where), newFaultsClear(&where))
	return command
}

func newFaultsAdd(where *place) *cobra.Command {
	var fault localaws.Fault
	var output cli.Output
	command := &cobra.Command{
		Use:   "add ACTION KIND",
		Short: "Add a fault",
		Long: `Add a fault to the calls of an action, which may contain wildcards as in a policy.
--region and --access-key narrow it to some of these calls. Kinds:

  latency          the call waits for --latency, then goes on
  throttle         the service's own throttling error
  error            the service's own internal error, HTTP 500 or --status
  drop             the connection is closed without a response
  wrong-signature  a valid signature is rejected as wrong`,
		Example: `  localaws faults add sts:GetCallerIdentity throttle --rate 0.5
  localaws faults add '*' error --status 503 --count 3
  localaws faults add 'sts:*' latency --latency 1h --region eu-north-1`,
		Args: cli.NamedArgs,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return []string{"sts:", "iam:", "eks:", "ec2:", "cloudtrail:", "ssm:", "cloudformation:", "organizations:"}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
			case 1:
				return kinds(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			fault.Action, fault.Kind = args[0], localaws.FaultKind(args[1])
			if cmd.Flags().Changed("rate") && fault.Rate <= 0 {
				return cli.Usagef("--rate %v: expected more than 0 and at most 1", fault.Rate)
			}
			var added localaws.Fault
			if err := where.askJSON(cmd.Context(), http.MethodPost, "faults", fault, &added); err != nil {
				return err
			}
			return output.Print(cmd.OutOrStdout(), added, func(bool) cli.Rows { return faultRows(added) })
		},
	}
	flags := command.Flags()
	flags.StringVar(&fault.Region, "region", "", "region of the calls, with wildcards (default: every region)")
	flags.StringVar(&fault.AccessKeyID, "access-key", "", "ID of the access key that signs the calls, with wildcards (default: every call)")
	flags.DurationVar(&fault.Latency, "latency", 0, "delay of the calls, for kind latency")
	flags.IntVar(&fault.Status, "status", 0, "HTTP status, 500 to 599, for kind error (default 500)")
	flags.Float64Var(&fault.Rate, "rate", 1, "fraction of the calls that fail, above 0 and at most 1")
	flags.IntVar(&fault.Count, "count", 0, "number of calls that fail before the fault ends (default: unlimited)")
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML, cli.Name)
	return command
}

func kinds() []string {
	var names []string
	for _, kind := range localaws.FaultKinds() {
		names = append(names, string(kind))
	}
	return names
}

type faultList struct {
	Faults []localaws.Fault `json:"faults"`
}

func newFaultsList(where *place) *cobra.Command {
	var output cli.Output
	command := &cobra.Command{
		Use:   "list",
		Short: "List the faults, and how many calls each has hit",
		Example: `  localaws faults list
  localaws faults list -o json`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list faultList
			if err := where.askJSON(cmd.Context(), http.MethodGet, "faults", nil, &list); err != nil {
				return err
			}
			return output.Print(cmd.OutOrStdout(), list, func(bool) cli.Rows { return faultRows(list.Faults...) })
		},
	}
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML, cli.Name)
	return command
}

func newFaultsClear(where *place) *cobra.Command {
	return &cobra.Command{
		Use:   "clear [ID...]",
		Short: "Remove all faults, or those with the given IDs",
		Example: `  localaws faults clear
  localaws faults clear 2 3`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			paths := []string{"faults"}
			if len(ids) > 0 {
				paths = nil
			}
			for _, id := range ids {
				if id == "" {
					return cli.Usagef("a fault ID must not be empty (localaws faults list prints the IDs)")
				}
				paths = append(paths, "faults/"+url.PathEscape(id))
			}
			for _, path := range paths {
				if err := where.askJSON(cmd.Context(), http.MethodDelete, path, nil, &faultList{}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func faultRows(faults ...localaws.Fault) cli.Rows {
	rows := cli.Rows{Header: []string{"ID", "ACTION", "KIND", "STRUCK", "HOW"}}
	for _, fault := range faults {
		rows.Add(fault.ID, fault.Action, fault.Kind, fault.Struck, how(fault))
	}
	return rows
}

// how describes the options of a fault.
func how(fault localaws.Fault) string {
	words := []string{}
	if fault.Region != "" {
		words = append(words, "in "+fault.Region)
	}
	if fault.AccessKeyID != "" {
		words = append(words, "by "+fault.AccessKeyID)
	}
	if fault.Latency != 0 {
		words = append(words, fault.Latency.String())
	}
	if fault.Status != 0 {
		words = append(words, fmt.Sprint("HTTP ", fault.Status))
	}
	if fault.Rate != 0 && fault.Rate != 1 {
		words = append(words, fmt.Sprintf("%v of the calls", fault.Rate))
	}
	if fault.Count != 0 {
		words = append(words, fmt.Sprintf("%d times", fault.Count))
	}
	return strings.Join(words, ", ")
}
