// Package server serves the TokenReviews of kube-apiservers.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/internal/health"
	"github.com/kube-iam/authenticator/internal/httpserver"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/roots"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/internal/webhook"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// Config configures a server.
type Config struct {
	// Endpoint is where the kube-apiserver reaches it.
	Endpoint settings.Endpoint
	// Cluster has the settings of the flags: those of the only cluster, or of several only
	// the trusted STS endpoint.
	Cluster settings.Cluster
	// HealthPort is the port of /healthz and /readyz without TLS; 0 for none.
	HealthPort int
	// MetricsAddress is the address of a second /metrics without TLS; empty for none.
	MetricsAddress string
	// KubeconfigPregenerated is set if the kubeconfig of the kube-apiserver exists.
	KubeconfigPregenerated bool
	// ClientCA is the file of the CAs of the clients that may send reviews; empty for every
	// client. Each of several clusters may have its own.
	ClientCA string
	// CacheTTL is how long to cache a verification by STS.
	CacheTTL time.Duration
	// Plan is where to print what the server would do, instead of doing it; nil to serve.
	Plan io.Writer

	// NewLog returns the log, and what writes its last lines. It calls observeLost for each
	// line that is lost.
	NewLog func(observeLost func()) (log *slog.Logger, flush func(), err error)
	Getenv func(string) string
	// Hangups receives the SIGHUPs, as of [CatchHangups].
	Hangups <-chan os.Signal
	Version string
}

// check returns an error for an invalid flag, before the server does anything.
func (c *Config) check() error {
	if err := c.Cluster.General.NeedClusters(); err != nil {
		return err
	}
	if err := c.Endpoint.Check(); err != nil {
		return err
	}
	if c.Endpoint.GenerateKubeconfig == "" && !c.KubeconfigPregenerated {
		return cli.Usagef("--generate-kubeconfig must not be empty")
	}
	if c.HealthPort != 0 {
		if err := settings.CheckPort("--health-port", c.HealthPort); err != nil {
			return err
		}
		if c.HealthPort == c.Endpoint.Port {
			return cli.Usagef("--port and --health-port are both %d", c.Endpoint.Port)
		}
	}
	if err := c.checkMetricsAddress(); err != nil {
		return err
	}
	if c.CacheTTL < 0 {
		return cli.Usagef("--verification-cache-ttl %s: must not be negative (0 turns the cache off)", c.CacheTTL)
	}
	if c.CacheTTL > token.Lifetime {
		return cli.Usagef("--verification-cache-ttl %s is longer than a token is valid (%s)", c.CacheTTL, token.Lifetime)
	}
	return nil
}

func (c *Config) checkMetricsAddress() error {
	if c.MetricsAddress == "" {
		return nil
	}
	host, service, err := net.SplitHostPort(c.MetricsAddress)
	port, notNumber := strconv.Atoi(service)
	if err != nil || notNumber != nil || host != "" && net.ParseIP(host) == nil {
		return cli.Usagef("--metrics-bind-address %q is not an IP address and a port (expected one like 10.0.0.5:21364)", c.MetricsAddress)
	}
	return settings.CheckPort("--metrics-bind-address", port)
}

// Run serves until ctx is done.
func Run(ctx context.Context, c *Config) error {
	err := run(ctx, c)
	if path, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(path, fs.ErrPermission) {
		return fmt.Errorf("%w (the server runs as user %d, who needs that right)", err, os.Getuid())
	}
	return err
}

func run(ctx context.Context, c *Config) error {
	defer runtime.KeepAlive(newBallast())
	if err := c.check(); err != nil {
		return err
	}
	metrics := metrics.New()
	log, flush, err := c.NewLog(metrics.ObserveLostLine())
	if err != nil {
		return err
	}
	defer flush()
	clusters := newClusters(&c.Cluster, log)
	all, err := clusters.all(c.Cluster.General.File)
	if err != nil {
		return err
	}
	hosts, regions := settings.NamedHosts(all)
	sts, clocks, err := c.newVerifier(ctx, log, metrics, regions)
	if err != nil {
		return err
	}
	defer sts.Close()
	denied, err := assembly.Denied(ctx, &c.Cluster.Mapping, log)
	if err != nil {
		return err
	}
	limiter := limit.New(sts, hosts...)
	if clusters.several {
		limiter = limit.NewFair(sts, hosts...)
	}
	clients, err := assembly.NewClients(ctx, c.ClientCA, log)
	if err != nil {
		return cli.Usagef("--client-ca-file: %w", err)
	}
	err = clusters.assemble(ctx, assembly.Shared{
		Limiter: limiter, Denied: denied, Clients: clients, Patient: clusters.several && c.Plan == nil, Cache: authn.CacheConfig{TTL: c.CacheTTL}, Clocks: clocks, Metrics: metrics, Log: log,
	})
	if err != nil {
		return err
	}
	if c.Plan != nil {
		flush() // the plan comes after what is wrong
		return c.printPlan(ctx, clusters, time.Now())
	}
	metrics.FollowLimits(limiter.Status)
	if denied != nil {
		metrics.FollowDenied(denied.Len)
	}
	serving, err := c.certificate(ctx, clusters, metrics, log)
	if err != nil {
		return err
	}
	defer rereadOnHangup(ctx, c.Hangups, func() []rereader { return append(clusters.rereaders(), serving) }, log)()
	return c.serve(ctx, clusters, serving, clocks, metrics, log)
}

// newVerifier returns the client of STS, which all clusters share, and what compares the
// clocks.
func (c *Config) newVerifier(ctx context.Context, log *slog.Logger, metrics *metrics.Metrics, regions []string) (*verify.STS, *skew.Meter, error) {
	hosts, err := c.Cluster.Hosts()
	if err != nil {
		return nil, nil, err
	}
	dial, err := c.Cluster.DialAddresses()
	if err != nil {
		return nil, nil, err
	}
	if hosts.Endpoint() != "" {
		log.Warn("trusting an STS endpoint that is not AWS's (--sts-endpoint): whoever controls it can sign in as anybody", "endpoint", hosts.Endpoint())
	}
	if len(dial) > 0 {
		log.Warn("connecting to another address for that endpoint, unencrypted (--sts-endpoint-dial): whoever is on the network path can sign in as anybody", "address", c.Cluster.STSEndpointDial)
	}
	roots.TrustPublic()
	bundle, err := roots.Bundle(ctx, c.Getenv)
	if err != nil {
		return nil, nil, err
	}
	sts, clocks := assembly.NewServerClient(verify.Config{
		MaxIdleConnections: limit.MaxPerHost, RootCAs: bundle, Dial: dial, UserAgent: c.Cluster.General.UserAgent, Observe: metrics.ObserveSTS(regions...),
	}, log, metrics)
	return sts, clocks, nil
}

func (c *Config) serve(ctx context.Context, clusters *clusters, serving *certificate.Serving, clocks *skew.Meter, metrics *metrics.Metrics, log *slog.Logger) error {
	ignoreBrokenPipes()
	ready := health.ReadyUntil(ctx, clusters.ready)
	metrics.FollowReady(ready)
	metrics.FollowClusters(clusters.forMetrics)
	recorder := decisions.NewRecorder()
	backlog := newBacklog(recorder, metrics, log)
	clusters.BeforeStop = backlog.flush
	clients := &webhook.Clients{Verify: clusters.VerifyClient, Refused: metrics.ObserveRefusedClient, Log: log}
	reviews, err := webhook.NewHandler(webhook.Config{
		Authenticate: clusters.authenticate(backlog), Find: clusters.Find, Fair: clusters.several, Clients: clients, Metrics: metrics, Log: log,
	})
	if err != nil {
		return err
	}
	edits, err := webhook.NewAdmissionHandler(webhook.AdmissionConfig{
		Guard: clusters.guard(backlog), Find: clusters.Find, Fair: clusters.several, Clients: clients, Observe: metrics.ObserveAdmission, Log: log,
	})
	if err != nil {
		return err
	}
	endpoints, err := c.listen(handlers{
		webhook: reviews, admission: edits, health: health.NewHandler(ready, clusters.readyOf), metrics: backlog.flushFirst(metrics.Handler()), severalClusters: clusters.several,
		// A cluster that is added later may have CAs of its own.
		asksClients: clusters.Clients != nil || clusters.several,
	}, serving)
	if err != nil {
		return err
	}
	server := httpserver.New(log, endpoints...)
	metrics.FollowConnections(server.Status)
	// The sources stop last: requests in flight still need them.
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	var sources, local sync.WaitGroup
	sources.Go(func() { serving.Run(following) })
	if clients := clusters.Clients; clients != nil {
		sources.Go(func() { clients.Run(following) })
	}
	sources.Go(func() { clusters.run(following) })
	sources.Go(func() { clocks.Run(following) })
	if denied := clusters.Denied; denied != nil {
		sources.Go(func() { denied.Run(following) })
	}
	socket := &socketServer{path: settings.SocketPath(c.Endpoint.StateDir), handler: socketRoutes(backlog.flushFirst(decisions.NewHandler(recorder)), clusters.explainer("its socket in "+c.Endpoint.StateDir, c.readiness())), log: log}
	listener := socket.open()
	asking, silence := context.WithCancel(ctx)
	local.Go(func() { socket.serve(asking, listener) })
	log.Info("serving", "address", endpoints[0].Listener.Addr().String(), "version", c.Version, "partition", c.Cluster.Partition)
	err = server.Serve(ctx)
	backlog.flush() // before the clusters stop, which log how many decisions have no line
	silence()
	local.Wait()
	stop()
	sources.Wait()
	backlog.flush() // what was decided for requests that were cut off
	log.Info("stopped")
	return err
}
