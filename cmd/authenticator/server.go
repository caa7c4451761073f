package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/server"
	"github.com/kube-iam/authenticator/internal/settings"
)

func newServer(p *program) *cobra.Command {
	var c server.Config
	var checkConfig bool
	command := &cobra.Command{
		Use:   "server",
		Short: "Serve TokenReviews: verify tokens with STS and map callers to Kubernetes users",
		Long: `Serve a kube-apiserver's TokenReviews: verify each token with AWS STS, and map the
AWS identity to a Kubernetes user and groups.

The server generates a CA, which signs its certificates, and the kubeconfig for the
kube-apiserver (--authentication-token-webhook-config-file). It needs no AWS
credentials, unless a mapping uses {{EC2PrivateDNSName}}, which needs
ec2:DescribeInstances.

It reads files with mappings, denials and certificates again when they change.

With clusters in the configuration file, it serves several clusters.`,
		Example: `  authenticator server --cluster-id my-cluster --backend-mode EKSConfigMap --kubeconfig /etc/kubernetes/admin.conf
  authenticator server --cluster-id my-cluster --aws-auth-file aws-auth.yaml
  authenticator server --cluster-id my-cluster --backend-mode DynamicFile,CRD --dynamic-file entries.json --kubeconfig authenticator.conf
  authenticator server --cluster-id my-cluster --backend-mode EKSConfigMap --tls-cert-file tls.crt --tls-private-key-file tls.key --client-ca-file ca.crt
  authenticator server --config config.yaml --check-config
  authenticator server --config config.yaml --cluster-owner-arn arn:aws:iam::111122223333:role/ClusterOwner`,
		Args: cli.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			p.hangups = server.CatchHangups()
			return p.configure(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Cluster.BackendModesGiven = cmd.Flags().Changed("backend-mode")
			if len(p.File.Clusters) > 0 {
				if err := settings.CheckNoClusterFlags(cmd.Flags()); err != nil {
					return err
				}
			}
			c.Cluster.General, c.NewLog, c.Getenv, c.Hangups, c.Version = &p.General, p.newLog, p.getenv, p.hangups, version
			if checkConfig {
				c.Plan = p.out
			}
			return server.Run(cmd.Context(), &c)
		},
	}
	flags := command.Flags()
	c.Endpoint.AddFlags(flags, settings.DefaultStateDir, "/etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml")
	flags.BoolVar(&c.KubeconfigPregenerated, "kubeconfig-pregenerated", false, "use the existing kubeconfig of the kube-apiserver instead of writing it")
	flags.IntVar(&c.HealthPort, "health-port", 21363, "port of /healthz and /readyz without TLS; 0 disables it")
	flags.StringVar(&c.MetricsAddress, "metrics-bind-address", "", "IP address and port of a second /metrics without TLS (10.0.0.5:21364, or :21364 for every address), for a Prometheus that cannot reach --address")
	settings.AddClientCAFlag(flags, &c.ClientCA)
	c.Cluster.AddFlags(flags)
	flags.DurationVar(&c.CacheTTL, "verification-cache-ttl", time.Minute, "time to cache a verification by STS; 0 calls STS for every TokenReview")
	flags.BoolVar(&checkConfig, "check-config", false, "read the flags and every file, print what the server would do, and exit; connect to nothing and write nothing")
	return command
}
