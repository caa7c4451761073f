package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/lab"
)

func newUp(env cli.Environment) *cobra.Command {
	var config lab.Config
	var foreground, admission bool
	command := &cobra.Command{
		Use:   "up",
		Short: "Bring the lab up and wait until it is ready",
		Long: `Bring up a local AWS, a Kubernetes cluster and the authenticator, and return when
all are ready. They run in the background until "lab down".

By default, the cluster is a kube-apiserver with its etcd and kube-controller-manager,
which start in seconds. It has no nodes, so pods stay Pending.
With --provider kind, it is a whole cluster: its nodes are Docker containers,
the authenticator is a static pod beside each kube-apiserver, and the workers join
through IAM, as on EKS. Kind needs Linux.

kube-apiserver, etcd, kubectl and kube-controller-manager come from --assets,
$KUBEBUILDER_ASSETS or the directory k8s beside this program. If they are in none of
these, up downloads them from envtest's index and from Kubernetes' releases, and
verifies their checksums. If that fails, it builds them, which needs Go and a clone of
the source. ENVTEST_INDEX is the URL of another index; "off" disables downloads. Without
a kube-controller-manager, ClusterRoles view, edit and admin have no rules.

If a lab was killed, up resumes it: its cluster, its AWS account and its addresses are as
before, so shells that use it go on. To start from scratch, run "lab down" first. If a lab
runs in the directory already, up does nothing.`,
		Example: `  lab up
  lab up --foreground     # stay; Ctrl-C ends the lab
  lab up --dir /tmp/lab2  # a second one
  lab up --provider kind --nodes 2
  lab up --provider kind --kubernetes-version v1.36.3 --keep`,
		Args: cli.NoArgs,
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
					return cli.Usagef("--%s %s: must be more than 0 (leave the flag out for the default)", ttl, value)
				}
			}
			if _, _, err := net.SplitHostPort(config.Listen); config.Listen != "" && err != nil {
				return cli.Usagef("--listen %q: expected HOST:PORT, such as 127.0.0.1:4566", config.Listen)
			}
			config.NoAdmission, config.TakeUp = !admission, true
			if err := checkPaths(config); err != nil {
				return err
			}
			if err := checkProvider(cmd.Flags(), config); err != nil {
				return err
			}
			if foreground {
				return upForeground(cmd.Context(), config, env, cmd.ErrOrStderr())
			}
			return upBackground(cmd, config, env)
		},
	}
	flags := command.Flags()
	addDirFlag(command)
	flags.BoolVar(&foreground, "foreground", false, "stay in the foreground; Ctrl-C ends the lab")
	flags.StringVar(&config.Provider, "provider", lab.Envtest, "provider of the cluster: "+strings.Join(lab.Providers(), " or "))
	flags.IntVar(&config.Kind.Nodes, "nodes", 1, "kind: number of workers, which join through IAM")
	flags.IntVar(&config.Kind.ControlPlanes, "control-planes", 1, "kind: number of control-plane nodes, each with an authenticator")
	flags.StringVar(&config.Kind.KubernetesVersion, "kubernetes-version", "", "kind: version of Kubernetes, such as v1.36.3 (default: the node image's)")
	flags.StringVar(&config.Kind.NodeImage, "node-image", "", "kind: image of the nodes (default: $KIND_NODE_IMAGE, kind's own, or the one that make kind-node-image built)")
	flags.StringVar(&config.Kind.Image, "image", "", "kind: archive of the authenticator's image (default: images/authenticator.tar beside this program, or assembled from the authenticator)")
	flags.BoolVar(&config.Kind.Keep, "keep", false, "kind: keep the containers when the cluster does not come up")
	flags.BoolVar(&admission, "admission", true, "guard aws-auth: refuse edits that lock people out")
	flags.StringVar(&config.Listen, "listen", "", "address of the local AWS (default: a free port of 127.0.0.1)")
	flags.StringVar(&config.Assets, "assets", "", "directory of kube-apiserver, etcd, kubectl and kube-controller-manager (default: $KUBEBUILDER_ASSETS, k8s beside this program, or downloaded)")
	flags.StringVar(&config.Authenticator, "authenticator", "", "path of the authenticator (default: beside this program, or on PATH)")
	flags.DurationVar(&config.WebhookCacheTTL, "webhook-cache-ttl", 0, "how long kube-apiserver caches the webhook's answers (default: kube-apiserver's own 2m)")
	flags.DurationVar(&config.VerificationCacheTTL, "verification-cache-ttl", 0, "how long the authenticator caches STS's answers (default: the authenticator's own 60s)")
	_ = command.RegisterFlagCompletionFunc("provider", cobra.FixedCompletions(lab.Providers(), cobra.ShellCompDirectiveNoFileComp))
	_ = command.MarkFlagFilename("image", "tar")
	_ = command.MarkFlagDirname("assets")
	_ = command.MarkFlagFilename("authenticator")
	return command
}

// checkPaths returns an error for a wrong path before up builds anything.
func checkPaths(config lab.Config) error {
	if state, err := os.Stat(config.Dir); err == nil && !state.IsDir() {
		return cli.Usagef("--dir %s: expected a directory", config.Dir)
	}
	if config.Authenticator == "" {
		return nil
	}
	switch state, err := os.Stat(config.Authenticator); {
	case err != nil:
		return cli.Usagef("--authenticator: %w", err)
	case !state.Mode().IsRegular():
		return cli.Usagef("--authenticator %s: expected the path of a program", config.Authenticator)
	}
	return nil
}

// checkProvider returns an error for invalid flags of a provider.
func checkProvider(flags *pflag.FlagSet, config lab.Config) error {
	if !slices.Contains(lab.Providers(), config.Provider) {
		return cli.Unknown("provider", config.Provider, lab.Providers())
	}
	for _, name := range []string{"nodes", "control-planes", "kubernetes-version", "node-image", "image", "keep"} {
		if flags.Changed(name) && config.Provider != lab.Kind {
			return cli.Usagef("--%s requires --provider %s", name, lab.Kind)
		}
	}
	switch kind := config.Kind; {
	case kind.Nodes < 0:
		return cli.Usagef("--nodes %d: must not be negative", kind.Nodes)
	case kind.ControlPlanes < 1:
		return cli.Usagef("--control-planes %d: must be at least 1", kind.ControlPlanes)
	case kind.KubernetesVersion != "" && kind.NodeImage != "":
		return cli.Usagef("--kubernetes-version and --node-image are mutually exclusive")
	case kind.KubernetesVersion != "" && !versionPattern.MatchString(kind.KubernetesVersion):
		return cli.Usagef("--kubernetes-version %q: expected a version such as v1.36.3", kind.KubernetesVersion)
	}
	return lab.Supports(config.Provider)
}

var versionPattern = regexp.MustCompile(`^v1\.\d+\.\d+(-[\w.]+)?$`)

func upForeground(ctx context.Context, config lab.Config, env cli.Environment, stderr io.Writer) error {
	config.Progress = stderr
	parent := lab.ParentProgress()
	if parent != nil {
		config.Progress = io.MultiWriter(stderr, parent)
	}
	var running *lab.Lab
	var err error
	if config.Assets, err = getAssets(ctx, config, env, stderr); err == nil {
		running, err = lab.Up(ctx, config)
	}
	if parent != nil {
		if err != nil {
			fmt.Fprintf(parent, "lab: %v\n", err)
		}
		_ = parent.Close() // the parent stops reading in both cases
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Fprintf(stderr, "lab: ending: %v\n", context.Cause(ctx))
	return running.Close()
}

// upBackground runs "up --foreground" in a background process. It downloads or builds
// a missing control plane first, since only this process can show progress on the
// terminal.
func upBackground(cmd *cobra.Command, config lab.Config, env cli.Environment) error {
	stderr := cmd.ErrOrStderr()
	switch info, err := lab.Open(config.Dir); {
	case err == nil:
		fmt.Fprintf(stderr, "lab: already up (process %d); %s shows it\n", info.PID, typed(cmd, "status"))
		return nil
	case !errors.Is(err, lab.ErrNotRunning):
		return err
	}
	assets, err := getAssets(cmd.Context(), config, env, stderr)
	if err != nil {
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
	arguments = append(arguments, "--dir", config.Dir, "--assets", assets, "--foreground") // the last one of a name counts
	if err := lab.Background(cmd.Context(), config.Dir, exec.Command(self, arguments...), stderr); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "lab: its log is %s; %s lists those of its parts\n", filepath.Join(config.Dir, lab.LogFile), typed(cmd, "logs"))
	fmt.Fprintf(stderr, "lab: use it in this shell with eval \"$(%s)\", or take the tour with %s\n", typed(cmd, "env"), typed(cmd, "tour"))
	return nil
}
