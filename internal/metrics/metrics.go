// Package metrics has the Prometheus metrics of the server.
package metrics

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/exposition"
	"github.com/kube-iam/authenticator/internal/httpserver"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

const namespace = "aws_iam_authenticator_"

// Metrics of the server. Names are aws-iam-authenticator's where it has them;
// labels take values from fixed sets and from the regions whose STS answers, so
// that no request can add series without bound.
type Metrics struct {
	registry *exposition.Registry
	// ready is set by FollowReady, and denied by FollowDenied.
	ready  atomic.Pointer[func() error]
	denied atomic.Pointer[func() int]

	latency           *exposition.Vector[*exposition.Distribution]
	inFlight          *exposition.Value
	turnedAway        *exposition.Value
	connections       *connections
	cacheHits         *exposition.Value
	stsResponses      *exposition.Vector[*exposition.Value]
	stsFailures       *exposition.Vector[*exposition.Value]
	stsThrottled      *exposition.Vector[*exposition.Value]
	stsLatency        *exposition.Distribution
	regions           *regions
	limits            *limits
	clusters          *clusters
	dynamic           dynamicFiles
	clustersInvalid   *exposition.Value
	describeInstances *exposition.Value
	certificates      *certificates
	clock             *clock
	watchFailures     *exposition.Value
	linesLost         *exposition.Value
	linesSuppressed   *exposition.Value
}

// latencies returns the bounds of buckets of seconds: those that Prometheus' clients
// have by default.
func latencies() []float64 {
	return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// New makes the metrics of one server.
func New() *Metrics {
	r := exposition.New(namespace)
	regions := newRegions()
	m := &Metrics{
		registry:          r,
		latency:           r.Histograms("authenticate_latency_seconds", "Time to decide about a token, by result.", latencies(), "result"),
		inFlight:          r.Gauge("authenticate_requests_in_flight", "TokenReviews in flight."),
		turnedAway:        r.Counter("requests_turned_away_total", "TokenReviews turned away unread, because those in flight hold as many bytes as allowed."),
		connections:       newConnections(r),
		cacheHits:         r.Counter("verification_cache_hits_total", "Tokens that needed no request to STS, because its answer was cached."),
		stsResponses:      r.Counters("sts_responses_total", "Responses of STS, by HTTP status and region.", "ResponseCode", "StsRegion"),
		stsFailures:       r.Counters("sts_connection_failures_total", "Requests to STS without a response, by region.", "StsRegion"),
		stsThrottled:      r.Counters("sts_throttling_total", "Tokens that could not be verified because STS throttles.", "StsRegion"),
		stsLatency:        r.Histogram("sts_latency_seconds", "Time until STS responded or the request failed.", latencies()),
		describeInstances: r.Counter("ec2_describe_instances_calls_total", "Calls to EC2 for the names of instances."),
		dynamic:           newDynamicFiles(r),
		regions:           regions,
		limits:            newLimits(r, regions),
		clusters:          newClusters(r),
		watchFailures:     r.Counter("configmap_watch_failures_total", "Failed attempts to list or watch aws-auth."),
		linesLost:         r.Counter("log_lines_lost_total", "Lines of the log that were lost because standard error was blocked or failed."),
		linesSuppressed:   r.Counter("log_lines_suppressed_total", "Decisions without a line in the log, because they exceeded the limit on such lines."),
		clustersInvalid:   r.Gauge("clusters_config_invalid", "1 if the clusters in the configuration file are not in force, because the file is invalid."),
		certificates:      newCertificates(r),
		clock:             newClock(r),
	}
	ready := r.Family(exposition.Gauge, "ready", "1 if /readyz returns ok: the server has read its mappings and is not stopping.")
	denied := r.Family(exposition.Gauge, "deny_entries", "Entries of the deny file in force.")
	r.Collect(func(sample exposition.Sampler) {
		sample(ready, m.isReady())
		sample(denied, m.countDenied())
	})
	for _, outcome := range authn.Outcomes() {
		m.latency.With(string(outcome))
	}
	return m
}

// Handler serves /metrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.registry)
	return mux
}

// Track counts a TokenReview as under way until the function it returns is called.
func (m *Metrics) Track() (done func()) {
	m.inFlight.Inc()
	return m.inFlight.Dec
}

// Observe counts a decision.
func (m *Metrics) Observe(d *authn.Decision) {
	m.latency.With(string(d.Outcome)).Observe(d.Duration.Seconds())
	if d.Cached {
		m.cacheHits.Inc()
	}
}

// ObserveMalformedRequest counts a request that is not a TokenReview.
func (m *Metrics) ObserveMalformedRequest() {
	m.latency.With("malformed_request").Observe(0)
}

// ObserveTurnedAway counts a request for which there is no memory. It is saturated,
// too.
func (m *Metrics) ObserveTurnedAway() {
	m.turnedAway.Inc()
	m.Observe(&authn.Decision{Outcome: authn.Saturated})
}

// ObserveSTS counts a try at STS. It fits [verify.Config].Observe. The named
// regions, which the operator expects, are labels before their STS has answered.
func (m *Metrics) ObserveSTS(named ...string) func(verify.Observation) {
	for _, region := range named {
		m.regions.add(region)
	}
	var last atomic.Pointer[responseCount]
	return func(o verify.Observation) {
		m.stsLatency.Observe(o.Duration.Seconds())
		if o.Status == 0 {
			m.stsFailures.With(m.regions.label(o.Region)).Inc()
			return
		}
		if r := last.Load(); r != nil && r.status == o.Status && r.region == o.Region && !o.Throttled {
			r.count.Inc()
			return
		}
		region := m.regions.add(o.Region)
		if o.Throttled {
			m.stsThrottled.With(region).Inc()
		}
		r := &responseCount{o.Status, region, m.stsResponses.With(strconv.Itoa(o.Status), region)}
		r.count.Inc()
		last.Store(r)
	}
}

// A responseCount counts the responses with one status from one region. Most responses are like
// the one before, and so need no lock and no lookup.
type responseCount struct {
	status int
	region string
	count  *exposition.Value
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
	ready := m.ready.Load()
	return flag(ready != nil && (*ready)() == nil)
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

// FollowClusters has every scrape show the clusters for which each calls a function.
func (m *Metrics) FollowClusters(each func(func(Cluster))) { m.clusters.each.Store(&each) }

// SetClustersInvalid sets whether the clusters in the configuration file are not those in
// force, because the file is invalid.
func (m *Metrics) SetClustersInvalid(invalid bool) {
	m.clustersInvalid.Set(flag(invalid))
}

// FollowReady has every scrape show whether the server is ready.
func (m *Metrics) FollowReady(ready func() error) { m.ready.Store(&ready) }

// FollowDenied has every scrape show how many entries the deny file has.
func (m *Metrics) FollowDenied(entries func() int) { m.denied.Store(&entries) }

// ObserveWatchFailure counts a try to list or watch aws-auth that failed.
func (m *Metrics) ObserveWatchFailure() func() { return m.watchFailures.Inc }

// ObserveLostLine counts a line of the log that is lost.
func (m *Metrics) ObserveLostLine() func() { return m.linesLost.Inc }

// ObserveSuppressedLine counts a decision that was not logged.
func (m *Metrics) ObserveSuppressedLine() func() { return m.linesSuppressed.Inc }
