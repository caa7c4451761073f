package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/lab"
)

func newUp() *cobra.Command {
	var config lab.Config
	var foreground bool
	command := &cobra.Command{
		Use:   "up",
		Short: "Bring the lab up and wait until it is ready",
		Long: `Bring up a local AWS, kube-apiserver with its etcd and the authenticator, and
return when all are ready. They go on in the background until "lab down".

What a killed lab left behind in the directory is cleaned up first. If a lab
runs there already, nothing is done.`,
		Example: `  lab up
  lab up --foreground     # stay; Ctrl-C ends the lab
  lab up --dir /tmp/lab2  # a second one`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if config.Dir, err = dirOf(cmd); err != nil {
				return err
			}
			for _, ttl := range []string{"webhook-cache-ttl", "verification-cache-ttl"} {
				value, err := cmd.Flags().GetDuration(ttl)
				if err != nil {
					return err
				}
				if cmd.Flags().Changed(ttl) && value <= 0 {
					return fmt.Errorf("--%s %s: must be more than 0 (leave the flag out for the default)", ttl, value)
				}
			}
			if foreground {
				return upForeground(cmd.Context(), config, cmd.ErrOrStderr())
			}
			return upBackground(cmd, config)
		},
	}
	flags := command.Flags()
	addDirFlag(command)
	flags.BoolVar(&foreground, "foreground", false, "stay in the foreground; Ctrl-C ends the lab")
	flags.StringVar(&config.Listen, "listen", "", "address of the local AWS (default: a free port of 127.0.0.1)")
	flags.StringVar(&config.Assets, "assets", "", "directory of kube-apiserver, etcd and kubectl (default: $KUBEBUILDER_ASSETS, or k8s beside this program)")
	flags.StringVar(&config.Authenticator, "authenticator", "", "the authenticator's program (default: beside this program, or on PATH)")
	flags.DurationVar(&config.WebhookCacheTTL, "webhook-cache-ttl", 0, "how long kube-apiserver remembers an answer of the webhook (default: its own 2m)")
	flags.DurationVar(&config.VerificationCacheTTL, "verification-cache-ttl", 0, "how long the authenticator remembers an answer of STS (default: its own 60s)")
	_ = command.MarkFlagDirname("assets")
	_ = command.MarkFlagFilename("authenticator")
	return command
}

func upForeground(ctx context.Context, config lab.Config, stderr io.Writer) error {
	config.Progress = stderr
	parent := lab.ParentProgress()
	if parent != nil {
		config.Progress = io.MultiWriter(stderr, parent)
	}
	running, err := lab.Up(ctx, config)
	if parent != nil {
		if err != nil {
			fmt.Fprintf(parent, "lab: %v\n", err)
		}
		_ = parent.Close() // either way nobody listens any more
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Fprintln(stderr, "lab: ending")
	return running.Close()
}

// upBackground runs this same program in the foreground, behind our back.
func upBackground(cmd *cobra.Command, config lab.Config) error {
	stderr := cmd.ErrOrStderr()
	switch info, err := lab.Open(config.Dir); {
	case err == nil:
		fmt.Fprintf(stderr, "lab: up already (process %d); lab status says more\n", info.PID)
		return nil
	case !errors.Is(err, lab.ErrNotRunning):
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	arguments := []string{"up"}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		arguments = append(arguments, "--"+flag.Name+"="+flag.Value.String())
	})
	arguments = append(arguments, "--dir", config.Dir, "--foreground") // the last one of a name counts
	if err := lab.Background(cmd.Context(), config.Dir, exec.Command(self, arguments...), stderr); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "lab: use it in this shell with eval \"$(%s)\", or take the tour with %s\n", typed(cmd, "env"), typed(cmd, "tour"))
	return nil
}
