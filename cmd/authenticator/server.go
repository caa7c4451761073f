package main

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/internal/health"
	"github.com/kube-iam/authenticator/internal/httpserver"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/internal/webhook"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

type serverOptions struct {
	endpoint
	healthPort             int
	metricsAddress         string
	kubeconfigPregenerated bool
	clientCA               string
	clusterSettings
	verificationCacheTTL time.Duration
	checkConfig          bool
}

func newServer(p *program) *cobra.Command {
	var o serverOptions
	command := &cobra.Command{
		Use:   "server",
		Short: "Serve TokenReviews: verify tokens with STS and map callers to Kubernetes users",
		Long: `Serve a kube-apiserver's TokenReviews: verify each token with AWS STS, and map the
AWS identity to a Kubernetes user and groups.

The server generates a CA, which signs its certificates, and the kubeconfig for the
kube-apiserver (--authentication-token-webhook-config-file). It needs no AWS
credentials, unless a mapping uses {{EC2PrivateDNSName}}, which needs
ec2:DescribeInstances.

With clusters in the configuration file, it serves several clusters.`,
		Example: `  authenticator server --cluster-id my-cluster --backend-mode EKSConfigMap --kubeconfig /etc/kubernetes/admin.conf
  authenticator server --cluster-id my-cluster --aws-auth-file aws-auth.yaml
  authenticator server --cluster-id my-cluster --backend-mode DynamicFile,CRD --dynamic-file entries.json --kubeconfig authenticator.conf
  authenticator server --cluster-id my-cluster --backend-mode EKSConfigMap --tls-cert-file tls.crt --tls-private-key-file tls.key --client-ca-file ca.crt
  authenticator server --config config.yaml --check-config
  authenticator server --config config.yaml --cluster-owner-arn arn:aws:iam::111122223333:role/ClusterOwner`,
		Args: cli.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			p.hangups = catchHangups()
			return p.configure(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.backendModesGiven = cmd.Flags().Changed("backend-mode")
			if len(p.config.Clusters) > 0 {
				if err := checkNoClusterFlags(cmd.Flags()); err != nil {
					return err
				}
			}
			return o.run(cmd.Context(), p)
		},
	}
	flags := command.Flags()
	o.endpoint.addFlags(flags, defaultStateDir, "/etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml")
	flags.BoolVar(&o.kubeconfigPregenerated, "kubeconfig-pregenerated", false, "use the existing kubeconfig of the kube-apiserver instead of writing it")
	flags.IntVar(&o.healthPort, "health-port", 21363, "port of /healthz and /readyz without TLS; 0 disables it")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", "", "IP address and port of a second /metrics without TLS (10.0.0.5:21364, or :21364 for every address), for a Prometheus that cannot reach --address")
	flags.StringVar(&o.clientCA, "client-ca-file", "", "file of the CAs of the clients that may send reviews, watched for changes; /healthz, /readyz and /metrics need no client certificate")
	o.clusterSettings.addFlags(flags)
	flags.DurationVar(&o.verificationCacheTTL, "verification-cache-ttl", time.Minute, "time to cache a verification by STS; 0 calls STS for every TokenReview")
	flags.BoolVar(&o.checkConfig, "check-config", false, "read the flags and every file, print what the server would do, and exit; connect to nothing and write nothing")
	return command
}

// check returns an error for an invalid flag, before the server does anything.
func (o *serverOptions) check(p *program) error {
	if err := p.needClusters(); err != nil {
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
		return cli.Usagef("--verification-cache-ttl %s: must not be negative (0 turns the cache off)", o.verificationCacheTTL)
	}
	if o.verificationCacheTTL > token.Lifetime {
		return cli.Usagef("--verification-cache-ttl %s is longer than a token is valid (%s)", o.verificationCacheTTL, token.Lifetime)
	}
	return nil
}

func (o *serverOptions) checkMetricsAddress() error {
	if o.metricsAddress == "" {
		return nil
	}
	host, service, err := net.SplitHostPort(o.metricsAddress)
	port, notNumber := strconv.Atoi(service)
	if err != nil || notNumber != nil || host != "" && net.ParseIP(host) == nil {
		return cli.Usagef("--metrics-bind-address %q is not an IP address and a port (expected one like 10.0.0.5:21364)", o.metricsAddress)
	}
	return checkPort("--metrics-bind-address", port)
}

func (o *serverOptions) run(ctx context.Context, p *program) error {
	defer runtime.KeepAlive(newBallast())
	if err := o.check(p); err != nil {
		return err
	}
	metrics := metrics.New()
	log, flush, err := p.newLog(metrics.ObserveLostLine())
	if err != nil {
		return err
	}
	defer flush()
	clusters := newClusters(p, &o.clusterSettings, log)
	settings, err := clusters.all(p.config)
	if err != nil {
		return err
	}
	hosts, regions := namedHosts(settings)
	sts, clocks, err := o.newVerifier(ctx, p, log, metrics, regions)
	if err != nil {
		return err
	}
	defer sts.Close()
	denied, err := o.denied(ctx, log)
	if err != nil {
		return err
	}
	limiter := limit.New(sts, hosts...)
	if clusters.several {
		limiter = limit.NewFair(sts, hosts...)
	}
	err = clusters.assemble(ctx, assembly{
		limiter: limiter, denied: denied, cache: authn.CacheConfig{TTL: o.verificationCacheTTL}, clocks: clocks, metrics: metrics, log: log,
	})
	if err != nil {
		return err
	}
	if o.checkConfig {
		return o.printPlan(ctx, p, clusters, time.Now())
	}
	metrics.FollowLimits(limiter.Status)
	if denied != nil {
		metrics.FollowDenied(denied.Len)
	}
	certificates, err := o.certificates(ctx, clusters, metrics, log)
	if err != nil {
		return err
	}
	defer rereadOnHangup(ctx, p.hangups, func() []rereader { return append(clusters.rereaders(), certificates.rereaders()...) }, log)()
	return o.serve(ctx, clusters, certificates, clocks, metrics, log)
}

// newVerifier returns the client of STS, which all clusters share, and what compares the
// clocks.
func (o *serverOptions) newVerifier(ctx context.Context, p *program, log *slog.Logger, metrics *metrics.Metrics, regions []string) (*verify.STS, *skew.Meter, error) {
	hosts, err := o.hosts()
	if err != nil {
		return nil, nil, err
	}
	dial, err := o.dial()
	if err != nil {
		return nil, nil, err
	}
	if hosts.Endpoint() != "" {
		log.Warn("trusting an STS endpoint that is not AWS's (--sts-endpoint): whoever controls it can sign in as anybody", "endpoint", hosts.Endpoint())
	}
	if len(dial) > 0 {
		log.Warn("connecting to another address for that endpoint, unencrypted (--sts-endpoint-dial): whoever is on the network path can sign in as anybody", "address", o.stsEndpointDial)
	}
	trustPublicCAs()
	roots, err := caBundle(ctx, p.getenv)
	if err != nil {
		return nil, nil, err
	}
	sts, clocks := newServerClient(verify.Config{
		MaxIdleConnections: limit.MaxPerHost, RootCAs: roots, Dial: dial, UserAgent: userAgent(), Observe: metrics.ObserveSTS(regions...),
	}, log, metrics)
	return sts, clocks, nil
}

func (o *serverOptions) serve(ctx context.Context, clusters *clusters, certificates *certificates, clocks *skew.Meter, metrics *metrics.Metrics, log *slog.Logger) error {
	ignoreBrokenPipes()
	ready := health.ReadyUntil(ctx, clusters.ready)
	metrics.FollowReady(ready)
	metrics.FollowClusters(clusters.forMetrics)
	recorder := decisions.NewRecorder()
	reviews, err := webhook.NewHandler(webhook.Config{
		Authenticate: recorded(clusters, recorder), Find: clusters.Find, Fair: clusters.several, Metrics: metrics, Log: log,
	})
	if err != nil {
		return err
	}
	edits, err := webhook.NewAdmissionHandler(webhook.AdmissionConfig{
		Guard: clusters.judge, Find: clusters.Find, Fair: clusters.several, Observe: metrics.ObserveAdmission(), Log: log,
	})
	if err != nil {
		return err
	}
	endpoints, err := o.listen(handlers{
		webhook: certificates.protect(reviews), admission: certificates.protect(edits), health: health.NewHandler(ready, clusters.readyOf), metrics: metrics.Handler(), manyClients: clusters.several,
	}, certificates)
	if err != nil {
		return err
	}
	server := httpserver.New(log, endpoints...)
	metrics.FollowConnections(server.Status)
	// The sources stop last: requests in flight still need them.
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	var sources, local sync.WaitGroup
	sources.Go(func() { certificates.run(following) })
	sources.Go(func() { clusters.run(following) })
	sources.Go(func() { clocks.Run(following) })
	if denied := clusters.denied; denied != nil {
		sources.Go(func() { denied.Run(following) })
	}
	socket := &socketServer{path: socketPath(o.stateDir), handler: socketRoutes(recorder, clusters.explainer("its socket in "+o.stateDir)), log: log}
	listener := socket.open()
	asking, silence := context.WithCancel(ctx)
	local.Go(func() { socket.serve(asking, listener) })
	log.Info("serving", "address", endpoints[0].Listener.Addr().String(), "version", version, "partition", o.partition)
	err = server.Serve(ctx)
	silence()
	local.Wait()
	stop()
	sources.Wait()
	log.Info("stopped")
	return err
}

// recorded returns the function that decides about a token and keeps the decision.
func recorded(clusters *clusters, recorder *decisions.Recorder) func(context.Context, string, string) (authn.Decision, error) {
	return func(ctx context.Context, id, bearer string) (authn.Decision, error) {
		decision, err := clusters.Authenticate(ctx, id, bearer)
		if err == nil {
			recorder.Record(id, decision)
			if guarding := clusters.guard(id); guarding != nil {
				guarding.observe(decision)
			}
		}
		return decision, err
	}
}
