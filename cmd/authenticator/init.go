package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/settings"
)

func newInit(p *program) *cobra.Command {
	var e settings.Endpoint
	command := &cobra.Command{
		Use:   "init",
		Short: "Generate the server's CA and the kube-apiserver's kubeconfig",
		Long: `Generate the CA that signs the server's certificates, and the kubeconfig with which
the kube-apiserver reaches and trusts the server. An existing certificate is kept. The
server does the same when it starts; use init if the kube-apiserver starts first, or to
make one CA for several control planes.`,
		Example: `  authenticator init --cluster-id my-cluster
  authenticator init --cluster-id my-cluster --state-dir /var/aws-iam-authenticator --generate-kubeconfig /etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.NeedClusters(); err != nil {
				return err
			}
			if err := e.Check(); err != nil {
				return err
			}
			written, err := initialKubeconfigs(&e, &p.General)
			if err != nil {
				return err
			}
			serving, err := e.Certificate(cmd.Context(), nil, nil)
			if err != nil {
				return err
			}
			if err := settings.WriteKubeconfigs(written, serving.Trusted()); err != nil {
				return err
			}
			warnings := []string{serving.Ending()}
			for _, k := range written {
				warnings = append(warnings, e.RenewalWarning(serving, k.Path))
			}
			if refused := serving.Refused(); refused != nil {
				warnings = append(warnings, refused.Error())
			}
			for _, warning := range warnings {
				if warning != "" {
					fmt.Fprintln(p.err, "authenticator: warning:", warning)
				}
			}
			for _, file := range []string{e.Files().Cert, e.Files().Key} {
				fmt.Fprintln(p.err, "ready:", file)
			}
			for _, k := range written {
				fmt.Fprintln(p.err, "ready:", k.Path)
			}
			for _, k := range written {
				fmt.Fprintf(p.err, "start the kube-apiserver with --authentication-token-webhook-config-file=%s\n", k.Path)
			}
			return nil
		},
	}
	e.AddFlags(command.Flags(), ".", "aws-iam-authenticator.kubeconfig")
	return command
}

// initialKubeconfigs returns the kubeconfigs that init writes: that of the flags, or those
// of several clusters.
func initialKubeconfigs(e *settings.Endpoint, g *settings.General) (written []settings.Kubeconfig, err error) {
	if len(g.File.Clusters) == 0 {
		return []settings.Kubeconfig{e.Kubeconfig()}, nil
	}
	all, err := (&settings.Cluster{General: g}).Clusters(g.File)
	for _, own := range all {
		written = append(written, e.KubeconfigsOf(own)...)
	}
	return written, err
}
