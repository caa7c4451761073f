package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/internal/webhook"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

type serverOptions struct {
	endpoint
	healthPort             int
	metricsAddress         string
	kubeconfigPregenerated bool
	stsOptions
	verificationCacheTTL time.Duration
	checkConfig          bool
	mappingOptions
}

func newServer(p *program) *cobra.Command {
	var o serverOptions
	command := &cobra.Command{
		Use:   "server",
		Short: "Answer a kube-apiserver's TokenReviews",
		Long: `Answer a kube-apiserver's TokenReviews: who a token is, as AWS STS says, and who
that is in Kubernetes, as the mappings say.

The server makes its certificate, and the kubeconfig to start the kube-apiserver
with (--authentication-token-webhook-config-file). It needs no AWS credentials,
unless a mapping has {{EC2PrivateDNSName}}: then ec2:DescribeInstances.`,
		Example: `  authenticator server --cluster-id my-cluster --backend-mode EKSConfigMap --kubeconfig /etc/kubernetes/admin.conf
  authenticator server --cluster-id my-cluster --aws-auth-file aws-auth.yaml
  authenticator server --config config.yaml --check-config
  authenticator server --config config.yaml --cluster-owner-arn arn:aws:iam::111122223333:role/ClusterOwner`,
		Args: cli.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			p.hangups = catchHangups()
			return p.configure(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.backendModesGiven = cmd.Flags().Changed("backend-mode")
			return o.run(cmd.Context(), p)
		},
	}
	flags := command.Flags()
	o.endpoint.addFlags(flags, "/var/aws-iam-authenticator", "/etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml")
	flags.BoolVar(&o.kubeconfigPregenerated, "kubeconfig-pregenerated", false, "do not write the kube-apiserver's kubeconfig, which exists already")
	flags.IntVar(&o.healthPort, "health-port", 21363, "port of /healthz and /readyz without TLS; 0 turns it off")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", "", "serve /metrics without TLS too, on this IP address and port (10.0.0.5:21364; :21364 is every address), for a Prometheus that does not reach --address")
	o.stsOptions.addFlags(flags)
	flags.DurationVar(&o.verificationCacheTTL, "verification-cache-ttl", time.Minute, "how long an answer of STS is remembered; 0 asks for every TokenReview")
	o.mappingOptions.addFlags(flags)
	flags.BoolVar(&o.checkConfig, "check-config", false, "read the flags and every file, print what the server would do, and exit; connect to nothing and write nothing")
	return command
}

// check says what is wrong with the flags before anything is done.
func (o *serverOptions) check(p *program) error {
	if err := p.needClusterID(); err != nil {
		return err
	}
	if err := o.endpoint.check(); err != nil {
		return err
	}
	if o.healthPort != 0 {
		if err := checkPort("--health-port", o.healthPort); err != nil {
			return err
		}
		if o.healthPort == o.port {
			return cli.Usagef("--port and --health-port are both %d", o.port)
		}
	}
	if err := o.checkMetricsAddress(); err != nil {
		return err
	}
	if o.verificationCacheTTL < 0 {
		return cli.Usagef("--verification-cache-ttl %s is negative: 0 turns the cache off", o.verificationCacheTTL)
	}
	if o.verificationCacheTTL > token.Lifetime {
		return cli.Usagef("--verification-cache-ttl %s is longer than a token lives, %s", o.verificationCacheTTL, token.Lifetime)
	}
	return o.mappingOptions.check()
}

func (o *serverOptions) checkMetricsAddress() error {
	if o.metricsAddress == "" {
		return nil
	}
	host, service, err := net.SplitHostPort(o.metricsAddress)
	port, notNumber := strconv.Atoi(service)
	if err != nil || notNumber != nil || host != "" && net.ParseIP(host) == nil {
		return cli.Usagef("--metrics-bind-address %q is not an IP address and a port, as 10.0.0.5:21364", o.metricsAddress)
	}
	return checkPort("--metrics-bind-address", port)
}

// gcPercent is the server's GOGC unless that is set. A server has little to keep and
// makes much garbage: collecting it half as often as by default takes half the CPU
// time, and with 10 000 users some 7 MiB.
const gcPercent = 200

func (o *serverOptions) run(ctx context.Context, p *program) error {
	if err := o.check(p); err != nil {
		return err
	}
	names, warnings, err := o.sources(p.config)
	if err != nil {
		return err
	}
	reserved, more, err := reservedPrefixes(p, names)
	if err != nil {
		return err
	}
	warnings = append(warnings, more...)
	owner, more, err := o.owner(o.partition)
	if err != nil {
		return err
	}
	warnings = append(warnings, more...)
	log, flush, err := p.newLog()
	if err != nil {
		return err
	}
	defer flush()
	for _, warning := range warnings {
		log.Warn(warning)
	}
	hosts, err := o.hosts()
	if err != nil {
		return err
	}
	dial, err := o.dial()
	if err != nil {
		return err
	}
	if hosts.Endpoint() != "" {
		log.Warn("trusting an STS endpoint that is not AWS's (--sts-endpoint): whoever answers there can sign in as anybody", "endpoint", hosts.Endpoint())
	}
	if len(dial) > 0 {
		log.Warn("connecting elsewhere for that endpoint, unencrypted (--sts-endpoint-dial): whoever is on the way there can sign in as anybody", "address", o.stsEndpointDial)
	}
	metrics := webhook.NewMetrics()
	instances, err := o.instances(p, metrics.ObserveDescribeInstances(), log)
	if err != nil {
		return err
	}
	if p.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	trustPublicCAs()
	roots, err := caBundle(ctx, p.getenv)
	if err != nil {
		return err
	}
	sources, err := o.newSources(ctx, p, names, o.partition, metrics.ObserveWatchFailure(), log)
	if err != nil {
		return err
	}
	sts := verify.New(verify.Config{
		MaxIdleConnections: limit.MaxPerHost, RootCAs: roots, Dial: dial, UserAgent: userAgent(), Observe: metrics.ObserveSTS(o.stsRegions...),
	})
	defer sts.Close()
	limited := limit.New(sts, o.namedHosts()...)
	metrics.FollowLimits(limited.Status)
	served, err := cluster.New(cluster.Config{
		ID:               p.clusterID,
		Hosts:            hosts,
		Verifier:         limited,
		Cache:            authn.CacheConfig{TTL: o.verificationCacheTTL},
		SignedIn:         limited.SignedIn,
		Owner:            owner,
		Sources:          sources,
		ReservedPrefixes: reserved,
		Instances:        instances,
		ScrubbedAccounts: p.config.ScrubbedAccounts,
		Audit:            log,
	})
	if err != nil {
		return err
	}
	if o.checkConfig {
		return o.printPlan(ctx, p, sources, time.Now())
	}
	metrics.FollowMappings(served.ID(), served.Sources())
	defer rereadOnHangup(ctx, p.hangups, sources, log)()
	return o.serve(ctx, served, metrics, log)
}

func (o *serverOptions) serve(ctx context.Context, served *cluster.Cluster, metrics *webhook.Metrics, log *slog.Logger) error {
	certificate, warning, err := o.certificate(ctx)
	if err != nil {
		return err
	}
	if warning != "" {
		log.Warn(warning)
	}
	if !o.kubeconfigPregenerated {
		if err := o.writeKubeconfig(certificate); err != nil {
			return err
		}
	}
	ready := webhook.Draining(ctx, served.Ready)
	metrics.FollowReady(ready)
	handler, err := webhook.NewHandler(webhook.Config{Authenticate: served.Authenticate, Ready: ready, Metrics: metrics, Log: log})
	if err != nil {
		return err
	}
	metrics.SetCertificate(certificate.Leaf.NotAfter)
	listener, err := listen("--port", o.listenAddress())
	if err != nil {
		return err
	}
	plain, err := o.plain(webhook.NewHealthHandler(ready), webhook.NewMetricsHandler(metrics))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := webhook.Server{
		Handler:     handler,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil },
		Plain:       plain,
		Log:         log,
	}
	// The sources stop last: requests under way still need them.
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	var sources sync.WaitGroup
	sources.Go(func() { served.Run(following) })
	log.Info("serving", "address", listener.Addr().String(), "version", version, "partition", o.partition)
	err = server.Serve(ctx, listener)
	stop()
	sources.Wait()
	log.Info("stopped")
	return err
}

// plain are the handlers without TLS that the flags want, each on its listener.
func (o *serverOptions) plain(health, metrics http.Handler) ([]webhook.Plain, error) {
	healthAddress := ""
	if o.healthPort != 0 {
		healthAddress = net.JoinHostPort("", strconv.Itoa(o.healthPort))
	}
	var plain []webhook.Plain
	for _, wanted := range []struct {
		flag, address string
		handler       http.Handler
	}{
		{"--health-port", healthAddress, health},
		{"--metrics-bind-address", o.metricsAddress, metrics},
	} {
		if wanted.address == "" {
			continue
		}
		listener, err := listen(wanted.flag, wanted.address)
		if err != nil {
			for _, p := range plain {
				_ = p.Listener.Close()
			}
			return nil, err
		}
		plain = append(plain, webhook.Plain{Handler: wanted.handler, Listener: listener})
	}
	return plain, nil
}

// listen on an address; flag is the one to change if that is taken.
func listen(flag, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening on %s: something listens there already; %s takes another port", address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return listener, nil
}
