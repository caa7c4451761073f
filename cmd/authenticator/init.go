package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/cli"
)

func newInit(p *program) *cobra.Command {
	var e endpoint
	command := &cobra.Command{
		Use:   "init",
		Short: "Generate the serving certificate and the kube-apiserver's kubeconfig",
		Long: `Generate the server's certificate and key, and the kubeconfig with which the
kube-apiserver reaches and trusts the server. An existing certificate is kept. The
server does the same when it starts; use init if the kube-apiserver starts first.`,
		Example: `  authenticator init --cluster-id my-cluster
  authenticator init --cluster-id my-cluster --state-dir /var/aws-iam-authenticator --generate-kubeconfig /etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.needClusterID(); err != nil {
				return err
			}
			if err := e.check(); err != nil {
				return err
			}
			made, warning, err := e.certificate(cmd.Context())
			if err != nil {
				return err
			}
			if warning != "" {
				fmt.Fprintln(p.err, "authenticator: warning:", warning)
			}
			if err := e.writeKubeconfig(made); err != nil {
				return err
			}
			for _, file := range []string{filepath.Join(e.stateDir, certificate.File), filepath.Join(e.stateDir, certificate.KeyFile), e.generateKubeconfig} {
				fmt.Fprintln(p.err, "ready:", file)
			}
			fmt.Fprintf(p.err, "start the kube-apiserver with --authentication-token-webhook-config-file=%s\n", e.generateKubeconfig)
			return nil
		},
	}
	e.addFlags(command.Flags(), ".", "aws-iam-authenticator.kubeconfig")
	return command
}
