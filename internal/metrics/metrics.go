// Package metrics has the Prometheus metrics of the server.
package metrics

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/httpserver"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

const namespace = "aws_iam_authenticator"

// Metrics of the server. Names are aws-iam-authenticator's where it has them;
// labels take values from fixed sets and from the regions whose STS answers, so
// that no request can add series without bound.
type Metrics struct {
	registry *prometheus.Registry
	// ready is set by FollowReady, and denied by FollowDenied.
	ready  atomic.Pointer[func() error]
	denied atomic.Pointer[func() int]

	latency           *prometheus.HistogramVec
	inFlight          prometheus.Gauge
	turnedAway        prometheus.Counter
	connections       *connections
	cacheHits         prometheus.Counter
	stsResponses      *prometheus.CounterVec
	stsFailures       *prometheus.CounterVec
	stsThrottled      *prometheus.CounterVec
	stsLatency        prometheus.Histogram
	regions           *regions
	limits            *limits
	clusters          *clusters
	dynamic           dynamicFiles
	clustersInvalid   prometheus.Gauge
	describeInstances prometheus.Counter
	certificates      *certificates
	clock             *clock
	clientsRefused    prometheus.Counter
	watchFailures     prometheus.Counter
	edits             prometheus.Counter
	losses            *prometheus.CounterVec
	admissions        *prometheus.CounterVec
	linesLost         prometheus.Counter
	linesSuppressed   prometheus.Counter
}

// New makes the metrics of one server.
func New() *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(registry)
	regions := newRegions()
	m := &Metrics{
		registry: registry,
		latency: f.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "authenticate_latency_seconds", Help: "Time to decide about a token, by result.", Buckets: prometheus.DefBuckets,
		}, []string{"result"}),
		inFlight: f.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "authenticate_requests_in_flight", Help: "TokenReviews in flight.",
		}),
		turnedAway: f.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "requests_turned_away_total", Help: "TokenReviews turned away unread, because those in flight hold as many bytes as allowed.",
		}),
		connections: newConnections(),
		cacheHits: f.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "verification_cache_hits_total", Help: "Tokens that needed no request to STS, because its answer was cached.",
		}),
		stsResponses: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "sts_responses_total", Help: "Responses of STS, by HTTP status and region.",
		}, []string{"ResponseCode", "StsRegion"}),
		stsFailures: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "sts_connection_failures_total", Help: "Requests to STS without a response, by region.",
		}, []string{"StsRegion"}),
		stsThrottled: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "sts_throttling_total", Help: "Tokens that could not be verified because STS throttles.",
		}, []string{"StsRegion"}),
		stsLatency: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "sts_latency_seconds", Help: "Time until STS responded or the request failed.", Buckets: prometheus.DefBuckets,
		}),
		describeInstances: f.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "ec2_describe_instances_calls_total", Help: "Calls to EC2 for the names of instances.",
		}),
		dynamic:  newDynamicFiles(f),
		regions:  regions,
		limits:   newLimits(regions),
		clusters: newClusters(),
		watchFailures: f.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "configmap_watch_failures_total", Help: "Failed attempts to list or watch aws-auth.",
		}),
		edits: f.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "aws_auth_edits_total", Help: "Edits of aws-auth that the server read, and deletions.",
		}),
		losses: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "mapping_losses_total", Help: "Edits of aws-auth or IAMIdentityMappings that removed a mapping to system:nodes, or the last one to system:masters, by group.",
		}, []string{"group"}),
		admissions: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "admission_reviews_total", Help: "Edits of aws-auth and its ConfigMaps that the guard reviewed, by result.",
		}, []string{"result"}),
		linesLost: f.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "log_lines_lost_total", Help: "Lines of the log that were lost because standard error was blocked or failed.",
		}),
		linesSuppressed: f.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "log_lines_suppressed_total", Help: "Decisions that were not logged, because anybody could have caused that many.",
		}),
		clustersInvalid: f.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "clusters_config_invalid", Help: "1 if the clusters in the configuration file are not in force, because the file is invalid.",
		}),
		certificates: newCertificates(),
		clock:        newClock(),
		clientsRefused: f.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "clients_refused_total", Help: "Requests that were refused because their client has no certificate of --client-ca-file.",
		}),
	}
	registry.MustRegister(m.clusters, m.limits, m.connections, m.certificates, m.clock)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "ready", Help: "1 if /readyz returns ok: the server has read its mappings and is not stopping.",
	}, m.isReady)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "deny_entries", Help: "Entries of the deny file in force.",
	}, m.countDenied)
	for _, group := range []string{mapper.NodesGroup, mapper.MastersGroup} {
		m.losses.WithLabelValues(group)
	}
	for _, result := range admission.Results() {
		m.admissions.WithLabelValues(string(result))
	}
	for _, outcome := range authn.Outcomes() {
		m.latency.WithLabelValues(string(outcome))
	}
	return m
}

// Handler serves /metrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}))
	return mux
}

// Track counts a TokenReview as under way until the function it returns is called.
func (m *Metrics) Track() (done func()) {
	m.inFlight.Inc()
	return m.inFlight.Dec
}

// Observe counts a decision.
func (m *Metrics) Observe(d authn.Decision) {
	m.latency.WithLabelValues(string(d.Outcome)).Observe(d.Duration.Seconds())
	if d.Cached {
		m.cacheHits.Inc()
	}
}

// ObserveMalformedRequest counts a request that is not a TokenReview.
func (m *Metrics) ObserveMalformedRequest() {
	m.latency.WithLabelValues("malformed_request").Observe(0)
}

// ObserveTurnedAway counts a request for which there is no memory. It is saturated,
// too.
func (m *Metrics) ObserveTurnedAway() {
	m.turnedAway.Inc()
	m.Observe(authn.Decision{Outcome: authn.Saturated})
}

// ObserveSTS counts a try at STS. It fits [verify.Config].Observe. The named
// regions, which the operator expects, are labels before their STS has answered.
func (m *Metrics) ObserveSTS(named ...string) func(verify.Observation) {
	for _, region := range named {
		m.regions.add(region)
	}
	return func(o verify.Observation) {
		if o.Status != 0 {
			m.regions.add(o.Region)
		}
		region := m.regions.label(o.Region)
		m.stsLatency.Observe(o.Duration.Seconds())
		switch {
		case o.Status == 0:
			m.stsFailures.WithLabelValues(region).Inc()
		case o.Throttled:
			m.stsThrottled.WithLabelValues(region).Inc()
			fallthrough
		default:
			m.stsResponses.WithLabelValues(strconv.Itoa(o.Status), region).Inc()
		}
	}
}

// FollowConnections has every scrape show what the listeners do.
func (m *Metrics) FollowConnections(status func() []httpserver.Status) {
	m.connections.status.Store(&status)
}

// FollowLimits has every scrape show what the limiter does.
func (m *Metrics) FollowLimits(status func() []limit.HostStatus) { m.limits.status.Store(&status) }

// ObserveDescribeInstances counts a call of EC2.
func (m *Metrics) ObserveDescribeInstances() func() { return m.describeInstances.Inc }

func (m *Metrics) isReady() float64 {
	if ready := m.ready.Load(); ready != nil && (*ready)() == nil {
		return 1
	}
	return 0
}

func (m *Metrics) countDenied() float64 {
	if denied := m.denied.Load(); denied != nil {
		return float64((*denied)())
	}
	return 0
}

// FollowCertificate has every scrape show when the serving certificate expires, and
// when the CA that signs it does. The latter is zero if there is none.
func (m *Metrics) FollowCertificate(expires func() (leaf, authority time.Time)) {
	m.certificates.expires.Store(&expires)
}

// ObserveRefusedClient counts a request of a client without a valid certificate.
func (m *Metrics) ObserveRefusedClient() { m.clientsRefused.Inc() }

// FollowClusters has every scrape show the clusters for which each calls a function.
func (m *Metrics) FollowClusters(each func(func(Cluster))) { m.clusters.each.Store(&each) }

// SetClustersInvalid sets whether the clusters in the configuration file are not those in
// force, because the file is invalid.
func (m *Metrics) SetClustersInvalid(invalid bool) {
	m.clustersInvalid.Set(0)
	if invalid {
		m.clustersInvalid.Set(1)
	}
}

// FollowReady has every scrape show whether the server is ready.
func (m *Metrics) FollowReady(ready func() error) { m.ready.Store(&ready) }

// FollowDenied has every scrape show how many entries the deny file has.
func (m *Metrics) FollowDenied(entries func() int) { m.denied.Store(&entries) }

// ObserveWatchFailure counts a try to list or watch aws-auth that failed.
func (m *Metrics) ObserveWatchFailure() func() { return m.watchFailures.Inc }

// ObserveEdit counts an edit of aws-auth, and the groups from which it takes the
// mappings that a cluster needs.
func (m *Metrics) ObserveEdit() func(lost []string) {
	return func(lost []string) {
		m.edits.Inc()
		m.ObserveLosses()(lost)
	}
}

// ObserveLosses counts the groups from which an edit of any mappings takes those that a
// cluster needs.
func (m *Metrics) ObserveLosses() func(lost []string) {
	return func(lost []string) {
		for _, group := range lost {
			m.losses.WithLabelValues(group).Inc()
		}
	}
}

// ObserveAdmission counts the review of an edit.
func (m *Metrics) ObserveAdmission() func(admission.Result) {
	return func(result admission.Result) { m.admissions.WithLabelValues(string(result)).Inc() }
}

// ObserveLostLine counts a line of the log that is lost.
func (m *Metrics) ObserveLostLine() func() { return m.linesLost.Inc }

// ObserveSuppressedLine counts a decision that was not logged.
func (m *Metrics) ObserveSuppressedLine() func() { return m.linesSuppressed.Inc }
