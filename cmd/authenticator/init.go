package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
)

func newInit(p *program) *cobra.Command {
	var e endpoint
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
			if err := p.needClusters(); err != nil {
				return err
			}
			if err := e.check(); err != nil {
				return err
			}
			written, err := e.initialKubeconfigs(p)
			if err != nil {
				return err
			}
			serving, err := e.certificate(cmd.Context(), nil, nil)
			if err != nil {
				return err
			}
			if err := writeKubeconfigs(written, serving.Trusted()); err != nil {
				return err
			}
			warnings := []string{serving.Ending()}
			for _, k := range written {
				warnings = append(warnings, e.renewalWarning(serving, k.path))
			}
			if refused := serving.Refused(); refused != nil {
				warnings = append(warnings, refused.Error())
			}
			for _, warning := range warnings {
				if warning != "" {
					fmt.Fprintln(p.err, "authenticator: warning:", warning)
				}
			}
			for _, file := range []string{e.files().Cert, e.files().Key} {
				fmt.Fprintln(p.err, "ready:", file)
			}
			for _, k := range written {
				fmt.Fprintln(p.err, "ready:", k.path)
			}
			for _, k := range written {
				fmt.Fprintf(p.err, "start the kube-apiserver with --authentication-token-webhook-config-file=%s\n", k.path)
			}
			return nil
		},
	}
	e.addFlags(command.Flags(), ".", "aws-iam-authenticator.kubeconfig")
	return command
}

// initialKubeconfigs returns the kubeconfigs that init writes: that of the flags, or those
// of several clusters.
func (e *endpoint) initialKubeconfigs(p *program) (written []webhookKubeconfig, err error) {
	if len(p.config.Clusters) == 0 {
		return []webhookKubeconfig{{e.generateKubeconfig, e.url(), e.client}}, nil
	}
	settings, err := newClusters(p, &clusterSettings{}, nil).all(p.config)
	for _, s := range settings {
		written = append(written, e.kubeconfigsOf(s)...)
	}
	return written, err
}
