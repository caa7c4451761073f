// Localaws is a local AWS, STS, IAM, EKS, EC2 and CloudTrail, that really checks signatures
// and policies, for unmodified clients on this machine.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "localaws: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:   "localaws",
		Short: "A local AWS that really checks signatures and policies",
		Long: `A local AWS: STS, IAM, EKS, EC2 and CloudTrail's event history on loopback, for
unmodified AWS CLIs and SDKs. It checks every signature, trust policy and
permission, and never reaches the real AWS.`,
		Example: `  localaws serve &
  eval "$(localaws env)"
  aws sts get-caller-identity`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newServe(), newEnv(), newInstances(), newClock(), newFaults(), newState(), newEvents(), newRelay(), newVersion())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), version) },
	}
}
