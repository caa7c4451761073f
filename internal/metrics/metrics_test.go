package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/httpserver"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// everyMetric returns the exposition of all metrics, after each was observed.
func everyMetric() string {
	m := metrics.New()
	observe := m.ObserveSTS()
	observe(verify.Observation{Region: "eu-west-2"})
	observe(verify.Observation{Region: "eu-west-2", Status: http.StatusBadRequest, Throttled: true})
	m.FollowLimits(func() []limit.HostStatus {
		return []limit.HostStatus{
			{Host: "sts.eu-west-2.amazonaws.com", Region: "eu-west-2", CircuitOpen: true, Running: 1, Waiting: 2},
			{Host: "sts-fips.eu-west-2.amazonaws.com", Region: "eu-west-2", Running: 3, Waiting: 4},
			{Host: "sts.eu-junk-1.amazonaws.com", Region: "eu-junk-1", CircuitOpen: true, Running: 5},
			{Host: "sts.eu-junk-2.amazonaws.com", Region: "eu-junk-2", CircuitOpen: true, Running: 6},
			{Host: "sts.eu-west-1.amazonaws.com"}, // named, and no token has come yet
		}
	})
	follow(m, "blue",
		fixed("EKSConfigMap", source.Snapshot{Table: accounts(2), Problems: []mapper.Problem{{Severity: mapper.Error}, {Severity: mapper.Warning}, {Severity: mapper.Warning}}}),
		fixed("AWSAuthFile", source.Snapshot{}))
	m.FollowCertificate(func() (leaf, authority time.Time) { return time.Unix(1_000, 0), time.Unix(2_000, 0) })
	m.FollowClock(func() (time.Duration, bool) { return -90 * time.Second, true })
	m.ObserveRefusedClient("blue")
	m.FollowConnections(func() []httpserver.Status {
		return []httpserver.Status{{Listener: "webhook", Open: 5, ClosedQuiet: 6, ClosedSlow: 7}, {Listener: "health", Open: 8}}
	})
	m.FollowDenied(func() int { return 9 })
	m.SetClustersInvalid(true)
	m.ObserveTurnedAway()
	m.ObserveEdit("blue")([]string{mapper.NodesGroup})
	m.ObserveEdit("blue")(nil)
	m.ObserveLostLine()()
	m.ObserveSuppressedLine()()
	return scrape(m)
}

// served is a cluster with seven decisions of each outcome.
type served struct {
	id      string
	sources []source.Source
}

func follow(m *metrics.Metrics, id string, sources ...source.Source) {
	m.FollowClusters(func(f func(metrics.Cluster)) { f(served{id, sources}) })
}

func (s served) ID() string                  { return s.id }
func (s served) Sources() []source.Source    { return s.sources }
func (s served) Ready() error                { return errors.New("not read yet") }
func (s served) Decided(authn.Outcome) int64 { return 7 }

// unchanging is a source that always has the same in force.
type unchanging struct {
	source.InForce
	name string
}

func fixed(name string, snapshot source.Snapshot) source.Source {
	s := &unchanging{name: name}
	s.Swap(snapshot)
	return s
}

func (s *unchanging) Name() string        { return s.name }
func (s *unchanging) Run(context.Context) {}

func accounts(n int) *mapper.Table {
	var accounts []mapper.Account
	for i := range n {
		accounts = append(accounts, mapper.Account{ID: fmt.Sprintf("%012d", i)})
	}
	return mapper.NewTable(nil, accounts, mapper.RolePathsIgnore)
}

func scrape(m *metrics.Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// TestCountsEndWithTheirCluster counts in one of two clusters, which is then removed and
// added again.
func TestCountsEndWithTheirCluster(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	blue := []string{
		`aws_iam_authenticator_aws_auth_edits_total{cluster="blue"} 1`, `aws_iam_authenticator_mapping_losses_total{cluster="blue",group="system:masters"} 2`,
		`aws_iam_authenticator_admission_reviews_total{cluster="blue",result="refused"} 1`, `aws_iam_authenticator_clients_refused_total{cluster="blue"} 1`,
	}
	m.ObserveEdit("blue")([]string{mapper.MastersGroup})
	m.ObserveLosses("blue")([]string{mapper.MastersGroup})
	m.ObserveAdmission("blue", admission.Refused)
	m.ObserveRefusedClient("blue")
	for _, step := range []struct {
		clusters []string
		value    string // of blue; empty if it has no series
	}{{[]string{"blue", "green"}, "counted"}, {[]string{"green"}, ""}, {[]string{"blue", "green"}, "0"}} {
		m.FollowClusters(func(f func(metrics.Cluster)) {
			for _, id := range step.clusters {
				f(served{id: id})
			}
		})
		text := scrape(m)
		for _, want := range blue {
			series, _, _ := strings.Cut(want, "} ")
			if step.value == "0" {
				want = series + "} 0"
			}
			if has := strings.Contains(text, "\n"+want+"\n"); has != (step.value != "") {
				t.Errorf("clusters %v: has %s: %v", step.clusters, want, has)
			}
			if step.value == "" && strings.Contains(text, series) {
				t.Errorf("clusters %v: has %s", step.clusters, series)
			}
			if green := strings.ReplaceAll(series, "blue", "green") + "} 0"; !strings.Contains(text, "\n"+green+"\n") {
				t.Errorf("clusters %v: has no %s", step.clusters, green)
			}
		}
	}
}

// TestMetricsAreDocumented holds the table of docs/operations.md to what is
// exposed. Alerts and dashboards are held to that table.
func TestMetricsAreDocumented(t *testing.T) {
	text := everyMetric()
	labels := map[string][]string{}
	for _, series := range regexp.MustCompile(`(?m)^(aws_iam_authenticator_\w+)\{(.*)\} `).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(series[1], "")
		labels[name] = nil
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(series[2], -1) {
			if label[1] != "le" {
				labels[name] = append(labels[name], "`"+label[1]+"`")
			}
		}
	}
	var exposed []string
	for _, metric := range regexp.MustCompile(`# HELP (aws_iam_authenticator_\w+) (.*)\n# TYPE \w+ (\w+)\n`).FindAllStringSubmatch(text, -1) {
		slices.Sort(labels[metric[1]])
		row := fmt.Sprintf("| `%s` | %s | %s | %s |", metric[1], metric[3], strings.Join(labels[metric[1]], ", "), metric[2])
		exposed = append(exposed, strings.ReplaceAll(row, "|  |", "| |"))
	}
	if diff := cmp.Diff(exposed, rows(t, "| `aws_iam_authenticator_")); diff != "" {
		t.Errorf("docs/operations.md (-exposed +documented)\n%s", diff)
	}
}

// rows of tables in docs/operations.md that begin so.
func rows(t *testing.T, prefix string) (found []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, prefix) {
			found = append(found, strings.TrimSuffix(line, "\n"))
		}
	}
	return found
}

func TestGauges(t *testing.T) {
	text := everyMetric()
	for _, want := range []string{
		`aws_iam_authenticator_mapping_entries{cluster="blue",source="EKSConfigMap"} 2`,
		`aws_iam_authenticator_mapping_entries{cluster="blue",source="AWSAuthFile"} 0`,
		`aws_iam_authenticator_cluster_ready{cluster="blue"} 0`,
		`aws_iam_authenticator_cluster_reviews_total{cluster="blue",result="mapped"} 7`,
		`aws_iam_authenticator_clusters_config_invalid 1`,
		`aws_iam_authenticator_mapping_problems{cluster="blue",severity="error",source="EKSConfigMap"} 1`,
		`aws_iam_authenticator_mapping_problems{cluster="blue",severity="warning",source="EKSConfigMap"} 2`,
		`aws_iam_authenticator_sts_circuit_open{StsRegion="eu-west-2"} 1`,
		`aws_iam_authenticator_sts_circuit_open{StsRegion="other"} 2`,
		`aws_iam_authenticator_sts_requests_in_flight{StsRegion="eu-west-2"} 4`,
		`aws_iam_authenticator_sts_requests_in_flight{StsRegion="other"} 11`,
		`aws_iam_authenticator_sts_requests_waiting{StsRegion="eu-west-2"} 6`,
		`aws_iam_authenticator_connections_open{listener="webhook"} 5`,
		`aws_iam_authenticator_connections_open{listener="health"} 8`,
		`aws_iam_authenticator_connections_closed_total{listener="webhook",reason="quiet"} 6`,
		`aws_iam_authenticator_connections_closed_total{listener="webhook",reason="slow"} 7`,
		`aws_iam_authenticator_connections_closed_total{listener="health",reason="quiet"} 0`,
		"aws_iam_authenticator_requests_turned_away_total 1", `aws_iam_authenticator_authenticate_latency_seconds_count{result="saturated"} 1`,
		`aws_iam_authenticator_aws_auth_edits_total{cluster="blue"} 2`, `aws_iam_authenticator_mapping_losses_total{cluster="blue",group="system:nodes"} 1`,
		`aws_iam_authenticator_mapping_losses_total{cluster="blue",group="system:masters"} 0`,
		`aws_iam_authenticator_mapping_last_good_age_seconds{cluster="blue",source="EKSConfigMap"} 0`,
		"aws_iam_authenticator_log_lines_lost_total 1", "aws_iam_authenticator_log_lines_suppressed_total 1", "aws_iam_authenticator_deny_entries 9",
		"aws_iam_authenticator_certificate_expiration_timestamp_seconds 1000", "aws_iam_authenticator_certificate_authority_expiration_timestamp_seconds 2000",
		"aws_iam_authenticator_clock_ahead_seconds -90", `aws_iam_authenticator_clients_refused_total{cluster="blue"} 1`, "aws_iam_authenticator_ready 0",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

// TestRegionLabels has junk name regions: only those that were named or whose STS
// answered are labels, and not without bound.
func TestRegionLabels(t *testing.T) {
	m := metrics.New()
	observe := m.ObserveSTS("eu-west-2")
	for n := range 1000 {
		observe(verify.Observation{Region: fmt.Sprintf("eu-junk-%d", n)})
	}
	observe(verify.Observation{Region: "eu-west-2"})
	observe(verify.Observation{Region: "eu-west-1", Status: http.StatusForbidden})
	observe(verify.Observation{Region: "eu-west-1"})
	text := scrape(m)
	for _, want := range []string{
		`sts_connection_failures_total{StsRegion="other"} 1000`,
		`sts_connection_failures_total{StsRegion="eu-west-1"} 1`,
		`sts_connection_failures_total{StsRegion="eu-west-2"} 1`,
		`sts_responses_total{ResponseCode="403",StsRegion="eu-west-1"} 1`,
	} {
		if !strings.Contains(text, "aws_iam_authenticator_"+want+"\n") {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	// A proxy may answer for every region.
	for n := range 1000 {
		observe(verify.Observation{Region: fmt.Sprintf("eu-junk-%d", n), Status: http.StatusForbidden})
	}
	observe(verify.Observation{Region: "eu-west-2", Status: http.StatusOK})
	text = scrape(m)
	if got := strings.Count(text, "aws_iam_authenticator_sts_responses_total{"); got != 65 || !strings.Contains(text, `ResponseCode="200",StsRegion="eu-west-2"`) {
		t.Errorf("%d series, want those of 64 regions and of other", got)
	}
}

// TestResponses checks that every response of STS is counted, like the one before or not.
func TestResponses(t *testing.T) {
	m := metrics.New()
	observe := m.ObserveSTS()
	paris := verify.Observation{Region: "eu-west-3", Status: 200}
	dublin := verify.Observation{Region: "eu-west-1", Status: 200}
	refused := verify.Observation{Region: "eu-west-3", Status: 400}
	throttled := verify.Observation{Region: "eu-west-3", Status: 400, Throttled: true}
	failed := verify.Observation{Region: "eu-west-3"}
	for _, o := range []verify.Observation{paris, paris, dublin, paris, refused, throttled, refused, failed, failed, paris, throttled, throttled} {
		observe(o)
	}
	text := scrape(m)
	for _, want := range []string{
		`sts_responses_total{ResponseCode="200",StsRegion="eu-west-3"} 4`,
		`sts_responses_total{ResponseCode="200",StsRegion="eu-west-1"} 1`,
		`sts_responses_total{ResponseCode="400",StsRegion="eu-west-3"} 5`,
		`sts_throttling_total{StsRegion="eu-west-3"} 3`,
		`sts_connection_failures_total{StsRegion="eu-west-3"} 2`,
		`sts_latency_seconds_count 12`,
	} {
		if !strings.Contains(text, "aws_iam_authenticator_"+want+"\n") {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

// TestReadyGauge follows /readyz.
func TestReadyGauge(t *testing.T) {
	m := metrics.New()
	missing := errors.New("something is missing")
	m.FollowReady(func() error { return missing })
	for _, want := range []string{"\naws_iam_authenticator_ready 0\n", "\naws_iam_authenticator_ready 1\n"} {
		if !strings.Contains(scrape(m), want) {
			t.Errorf("/metrics lacks %s", want)
		}
		missing = nil
	}
}

// TestLastGoodAge checks that the age of kept content grows.
func TestLastGoodAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := metrics.New()
		follow(m, "blue", fixed("EKSConfigMap", source.Snapshot{Table: accounts(1), KeptSince: time.Now()}))
		time.Sleep(90 * time.Second) // in the bubble
		if want := `mapping_last_good_age_seconds{cluster="blue",source="EKSConfigMap"} 90`; !strings.Contains(scrape(m), want) {
			t.Errorf("/metrics lacks %s", want)
		}
	})
}
