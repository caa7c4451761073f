package monitoring_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/template"
	"github.com/prometheus/prometheus/util/annotations"
)

// day is the length of a test in minutes; each series has a sample per minute.
const day = 24*60 + 60

// healthy returns a day of two authenticators that each accept one sign-in per second,
// and reject one every ten seconds.
func healthy() []string {
	var all []string
	for _, instance := range []string{"a", "b"} {
		for _, series := range []string{
			`up{job="authenticator"%s} 1x%d`,
			`aws_iam_authenticator_ready{job="authenticator"%s} 1x%d`,
			`aws_iam_authenticator_configmap_watch_failures_total{job="authenticator"%s} 0x%d`,
			`aws_iam_authenticator_authenticate_latency_seconds_count{job="authenticator",result="mapped"%s} 0+60x%d`,
			`aws_iam_authenticator_authenticate_latency_seconds_count{job="authenticator",result="unmapped"%s} 0+6x%d`,
			`aws_iam_authenticator_authenticate_latency_seconds_count{job="authenticator",result="unreachable"%s} 0x%d`,
			`aws_iam_authenticator_sts_latency_seconds_count{job="authenticator"%s} 0+30x%d`,
			`aws_iam_authenticator_sts_latency_seconds_bucket{job="authenticator",le="0.5"%s} 0+30x%d`,
			`aws_iam_authenticator_sts_latency_seconds_bucket{job="authenticator",le="1"%s} 0+30x%d`,
			`aws_iam_authenticator_sts_latency_seconds_bucket{job="authenticator",le="2.5"%s} 0+30x%d`,
			`aws_iam_authenticator_sts_latency_seconds_bucket{job="authenticator",le="+Inf"%s} 0+30x%d`,
			`aws_iam_authenticator_sts_responses_total{job="authenticator",ResponseCode="200",StsRegion="eu-west-2"%s} 0+30x%d`,
			`aws_iam_authenticator_sts_responses_total{job="authenticator",ResponseCode="503",StsRegion="eu-west-2"%s} 0+1x%d`,
			`aws_iam_authenticator_sts_connection_failures_total{job="authenticator",StsRegion="eu-west-2"%s} 0+1x%d`,
			`aws_iam_authenticator_sts_circuit_open{job="authenticator",StsRegion="eu-west-2"%s} 0x%d`,
			`aws_iam_authenticator_sts_circuit_open{job="authenticator",StsRegion="other"%s} 3x%d`, // junk
			`aws_iam_authenticator_sts_throttling_total{job="authenticator",StsRegion="eu-west-2"%s} 0x%d`,
			`aws_iam_authenticator_connections_closed_total{job="authenticator",listener="webhook",reason="quiet"%s} 0x%d`,
			`aws_iam_authenticator_connections_closed_total{job="authenticator",listener="webhook",reason="slow"%s} 0x%d`,
			`aws_iam_authenticator_requests_turned_away_total{job="authenticator"%s} 0x%d`,
			`aws_iam_authenticator_log_lines_lost_total{job="authenticator"%s} 0x%d`,
			`aws_iam_authenticator_mapping_entries{job="authenticator",cluster="blue",source="EKSConfigMap"%s} 12x%d`,
			`aws_iam_authenticator_mapping_problems{job="authenticator",cluster="blue",source="EKSConfigMap",severity="error"%s} 0x%d`,
			`aws_iam_authenticator_mapping_problems{job="authenticator",cluster="blue",source="EKSConfigMap",severity="warning"%s} 3x%d`,
			`aws_iam_authenticator_mapping_last_good_age_seconds{job="authenticator",cluster="blue",source="EKSConfigMap"%s} 0x%d`,
			`aws_iam_authenticator_mapping_losses_total{job="authenticator",cluster="blue",group="system:nodes"%s} 0x%d`,
			`aws_iam_authenticator_mapping_losses_total{job="authenticator",cluster="blue",group="system:masters"%s} 0x%d`,
			`aws_iam_authenticator_aws_auth_edits_total{job="authenticator",cluster="blue"%s} 7x%d`,
			`aws_iam_authenticator_certificate_expiration_timestamp_seconds{job="authenticator"%s} 950400x%d`,            // 11 days
			`aws_iam_authenticator_certificate_authority_expiration_timestamp_seconds{job="authenticator"%s} 8000000x%d`, // 92 days
		} {
			all = append(all, fmt.Sprintf(series, `,instance="`+instance+`"`, day))
		}
	}
	return all
}

// TestAlerts has each alert fire on what it is for, and no other with it.
func TestAlerts(t *testing.T) {
	t.Parallel()
	const decisions, sts = "aws_iam_authenticator_authenticate_latency_seconds_count", "aws_iam_authenticator_sts_"
	// Each series takes the place of the healthy ones that it begins like, or is new.
	// The last hour of the day is the bad one.
	for name, c := range map[string]struct {
		series []string
		fires  []string
	}{
		"all is well": {},
		"a restart of 4 minutes": {
			[]string{`up{job="authenticator",instance="a"} 1x1496 0x3`, `aws_iam_authenticator_ready{job="authenticator",instance="a"} 1x1496 0x3`}, nil,
		},
		"one is down": {
			[]string{`up{job="authenticator",instance="a"} 1x1440 0x59`}, []string{"AuthenticatorDown"},
		},
		"all are down": {
			[]string{`up{job="authenticator",instance="a"} 1x1440 0x59`, `up{job="authenticator",instance="b"} 1x1440 0x59`}, []string{"AuthenticatorAbsent", "AuthenticatorDown", "AuthenticatorDown"},
		},
		"all are gone": {
			[]string{`up{job="authenticator",instance="a"} 1x1440 _x59`, `up{job="authenticator",instance="b"} 1x1440 _x59`}, []string{"AuthenticatorAbsent"},
		},
		"aws-auth is not read": {
			[]string{`aws_iam_authenticator_ready{job="authenticator",instance="a"} 1x1440 0x59`}, []string{"AuthenticatorNotReady"},
		},
		"aws-auth cannot be followed": {
			[]string{`aws_iam_authenticator_configmap_watch_failures_total{job="authenticator",instance="a"} 0x1440 0+1x59`}, []string{"AuthenticatorCannotFollow"},
		},
		"the kube-apiserver was away for 5 minutes": {
			[]string{`aws_iam_authenticator_configmap_watch_failures_total{job="authenticator",instance="a"} 0x1490 3+2x4 11x9`}, nil,
		},
		"9% of tokens undecided": {
			[]string{decisions + `{job="authenticator",result="unreachable",instance="a"} 0x1440 0+6x59`}, []string{"AuthenticatorUndecided"},
		},
		"none, for 3 minutes": {
			[]string{decisions + `{job="authenticator",result="unreachable",instance="a"} 0x1496 0+60x2`}, nil,
		},
		"1% of tokens undecided": {
			[]string{decisions + `{job="authenticator",result="unreachable",instance="a"} 0x1440 0+0.6x59`}, nil,
		},
		"EC2 knows nothing": {
			[]string{decisions + `{job="authenticator",result="mapping_unknown",instance="a"} 0x1440 0+30x59`}, []string{"AuthenticatorUndecided"},
		},
		"more tokens than turns": {
			[]string{decisions + `{job="authenticator",result="saturated",instance="a"} 0x1440 0+30x59`}, []string{"AuthenticatorSaturated", "AuthenticatorUndecided"},
		},
		"a few more, and most get in": {
			[]string{decisions + `{job="authenticator",result="saturated",instance="a"} 0x1440 0+12x59`, decisions + `{job="authenticator",result="mapped",instance="a"} 0+60x1440 86400+600x59`}, []string{"AuthenticatorSaturated"},
		},
		"a burst of tokens": {
			[]string{decisions + `{job="authenticator",result="saturated",instance="a"} 0x1498 60x1`}, nil,
		},
		"connections are closed for others": {
			[]string{`aws_iam_authenticator_connections_closed_total{job="authenticator",listener="webhook",reason="quiet",instance="a"} 0x1440 0+60x59`}, []string{"AuthenticatorFlooded"},
		},
		"some are, for 5 minutes": {
			[]string{`aws_iam_authenticator_connections_closed_total{job="authenticator",listener="webhook",reason="slow",instance="a"} 0x1494 0+60x5`}, nil,
		},
		"more bytes than there is room for": {
			[]string{`aws_iam_authenticator_requests_turned_away_total{job="authenticator",instance="a"} 0x1440 0+12x59`}, []string{"AuthenticatorFlooded"},
		},
		"lines of the log were lost 10 minutes ago": {
			[]string{`aws_iam_authenticator_log_lines_lost_total{job="authenticator",instance="a"} 0x1489 3x10`}, []string{"AuthenticatorLosesLog"},
		},
		"lines of the log were lost an hour ago": {
			[]string{`aws_iam_authenticator_log_lines_lost_total{job="authenticator",instance="a"} 0x1430 3x69`}, nil,
		},
		"a circuit is open": {
			[]string{sts + `circuit_open{job="authenticator",StsRegion="eu-west-2",instance="a"} 0x1440 1x59`}, []string{"AuthenticatorSTSCircuitOpen"},
		},
		"a circuit is open for 3 minutes": {
			[]string{sts + `circuit_open{job="authenticator",StsRegion="eu-west-2",instance="a"} 0x1496 1x3`}, nil,
		},
		"STS is not reached": {
			[]string{sts + `connection_failures_total{job="authenticator",StsRegion="eu-west-2",instance="a"} 0x1440 0+20x59`}, []string{"AuthenticatorSTSFailing"},
		},
		"STS fails": {
			[]string{sts + `responses_total{job="authenticator",ResponseCode="503",StsRegion="eu-west-2",instance="a"} 0x1440 0+20x59`}, []string{"AuthenticatorSTSFailing"},
		},
		"STS throttles": {
			[]string{sts + `throttling_total{job="authenticator",StsRegion="eu-west-2",instance="a"} 0x1440 0+1x59`}, []string{"AuthenticatorSTSThrottling"},
		},
		"STS throttled once": {
			[]string{sts + `throttling_total{job="authenticator",StsRegion="eu-west-2",instance="a"} 0x1440 1x59`}, nil,
		},
		"STS is slow": {
			[]string{sts + `latency_seconds_bucket{job="authenticator",le="1",instance="a"} 0+30x1440 43200+20x59`, sts + `latency_seconds_bucket{job="authenticator",le="0.5",instance="a"} 0+30x1440 43200+10x59`}, []string{"AuthenticatorSTSSlow"},
		},
		"a clock is 2 minutes behind": {
			[]string{`aws_iam_authenticator_clock_ahead_seconds{job="authenticator",instance="a"} 0x1440 -120x59`}, []string{"AuthenticatorClockWrong"},
		},
		"a clock is 50 seconds ahead": {
			[]string{`aws_iam_authenticator_clock_ahead_seconds{job="authenticator",instance="a"} 0x1440 50x59`}, nil,
		},
		"a mistake in aws-auth": {
			[]string{`aws_iam_authenticator_mapping_problems{job="authenticator",cluster="blue",source="EKSConfigMap",severity="error",instance="a"} 0x1440 1x59`}, []string{"AuthenticatorMappingProblems"},
		},
		"an edit removed the nodes 10 minutes ago": {
			[]string{`aws_iam_authenticator_mapping_losses_total{job="authenticator",cluster="blue",group="system:nodes",instance="a"} 0x1489 1x10`}, []string{"AuthenticatorLostMappings"},
		},
		"an edit removed the last administrator, and both servers saw it": {
			[]string{
				`aws_iam_authenticator_mapping_losses_total{job="authenticator",cluster="blue",group="system:masters",instance="a"} 0x1489 1x10`,
				`aws_iam_authenticator_mapping_losses_total{job="authenticator",cluster="blue",group="system:masters",instance="b"} 0x1489 1x10`,
			}, []string{"AuthenticatorLostMappings"},
		},
		"an edit removed the nodes an hour ago": {
			[]string{`aws_iam_authenticator_mapping_losses_total{job="authenticator",cluster="blue",group="system:nodes",instance="a"} 0x1430 1x69`}, nil,
		},
		"a section is broken for an hour": {
			[]string{`aws_iam_authenticator_mapping_last_good_age_seconds{job="authenticator",cluster="blue",source="EKSConfigMap",instance="a"} 0x1440 0+60x59`}, []string{"AuthenticatorKeepsLastGood"},
		},
		"a section is broken for 20 minutes": {
			[]string{`aws_iam_authenticator_mapping_last_good_age_seconds{job="authenticator",cluster="blue",source="EKSConfigMap",instance="a"} 0x1480 0+60x19`}, nil,
		},
		"aws-auth was edited 3 minutes ago": {
			[]string{`aws_iam_authenticator_aws_auth_edits_total{job="authenticator",cluster="blue",instance="a"} 7x1496 8x3`}, []string{"AuthenticatorMappingsEdited"},
		},
		"aws-auth is deleted": {
			[]string{`aws_iam_authenticator_mapping_entries{job="authenticator",cluster="blue",source="EKSConfigMap",instance="a"} 12x1440 0x59`, `aws_iam_authenticator_mapping_entries{job="authenticator",cluster="blue",source="EKSConfigMap",instance="b"} 12x1440 0x59`}, []string{"AuthenticatorMapsNobody"},
		},
		"somebody tries tokens": {
			[]string{decisions + `{job="authenticator",result="malformed",instance="a"} 0x1440 0+600x59`}, []string{"AuthenticatorRejectsMany"},
		},
		"a client that always tried bad ones": {
			[]string{decisions + `{job="authenticator",result="refused",instance="a"} 0+600x1499`}, nil,
		},
		"the certificate expires in 6 days": { // and 1 day has passed
			[]string{`aws_iam_authenticator_certificate_expiration_timestamp_seconds{job="authenticator",instance="a"} 604800x1499`}, []string{"AuthenticatorCertificateEnds"},
		},
		"the CA expires in 89 days": { // and 1 day has passed
			[]string{`aws_iam_authenticator_certificate_authority_expiration_timestamp_seconds{job="authenticator",instance="a"} 7776000x1499`}, []string{"AuthenticatorCAEnds"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queryable := series(t, c.series)
			var fired []string
			for _, rule := range rules(t) {
				for _, sample := range firing(t, rule, queryable) {
					fired = append(fired, rule.Alert)
					annotate(t, rule, sample)
				}
			}
			slices.Sort(c.fires)
			slices.Sort(fired)
			if !slices.Equal(fired, c.fires) {
				t.Errorf("%v fire, want %v", fired, c.fires)
			}
		})
	}
}

// firing are an alert's instances at the end of the day: those that were there at
// each evaluation for as long as the alert waits.
func firing(t *testing.T, rule rulefmt.Rule, queryable storage.Queryable) (instances []promql.Sample) {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	end := time.Unix((day-1)*60, 0)
	query, err := engine.NewRangeQuery(t.Context(), queryable, nil, rule.Expr, end.Add(-time.Duration(rule.For)), end, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	result := query.Exec(t.Context())
	matrix, err := result.Matrix()
	if err != nil {
		t.Fatalf("%s: %v", rule.Alert, err)
	}
	for _, instance := range matrix {
		if len(instance.Floats) == int(time.Duration(rule.For)/time.Minute)+1 {
			instances = append(instances, promql.Sample{Metric: instance.Metric, F: instance.Floats[len(instance.Floats)-1].F})
		}
	}
	return instances
}

// annotate fills in what an alert says.
func annotate(t *testing.T, rule rulefmt.Rule, sample promql.Sample) {
	t.Helper()
	data := template.AlertTemplateData(sample.Metric.Map(), nil, "", sample)
	for _, name := range slices.Sorted(maps.Keys(rule.Annotations)) {
		text := "{{$labels := .Labels}}{{$value := .Value}}" + rule.Annotations[name]
		said, err := template.NewTemplateExpander(context.Background(), text, rule.Alert, data, model.TimeFromUnix(0), nil, &url.URL{}, nil).Expand()
		if err != nil || strings.Contains(said, "NaN") {
			t.Errorf("%s: %s: %q, %v", rule.Alert, name, said, err)
		}
		for _, label := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(rule.Annotations[name], -1) {
			if !sample.Metric.Has(label[1]) {
				t.Errorf("%s: %s tells the label %s, and there is none", rule.Alert, name, label[1])
			}
		}
	}
}

// series are the healthy ones, but for those that others are given for.
func series(t *testing.T, others []string) storage.Queryable {
	t.Helper()
	all := map[string]storage.Series{}
	for _, text := range append(healthy(), others...) {
		metric, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		read := promql.Series{Metric: metric}
		for minute, value := range values {
			if !value.Omitted {
				read.Floats = append(read.Floats, promql.FPoint{T: int64(minute) * 60_000, F: value.Value})
			}
		}
		all[metric.String()] = promql.NewStorageSeries(read)
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			var found set
			for _, name := range slices.Sorted(maps.Keys(all)) {
				if matchesAll(all[name].Labels(), matchers) {
					found.rest = append(found.rest, all[name])
				}
			}
			return &found
		},
	}}
}

func matchesAll(metric labels.Labels, matchers []*labels.Matcher) bool {
	return !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(metric.Get(m.Name)) })
}

// A set gives its series one by one.
type set struct {
	at   storage.Series
	rest []storage.Series
}

func (s *set) Next() bool {
	if len(s.rest) == 0 {
		return false
	}
	s.at, s.rest = s.rest[0], s.rest[1:]
	return true
}

func (s *set) At() storage.Series                { return s.at }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }
