// Package monitoring_test holds alerts and dashboard to the metrics that there
// are, and to what docs/operations.md says.
package monitoring_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

const operations = "../../../docs/operations.md"

// rules are the alerts, as Prometheus reads them.
func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	var resource struct{ Spec yaml.Node }
	if err := yaml.Unmarshal([]byte(read(t, "prometheusrule.yaml")), &resource); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(&resource.Spec)
	if err != nil {
		t.Fatal(err)
	}
	parsed, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var all []rulefmt.Rule
	for _, group := range parsed.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// contract is what docs/operations.md says there is to be scraped. The tests of
// internal/metrics and internal/webhook hold it to what the server exposes.
type contract struct {
	labels  map[string][]string // by metric
	results []string
}

func documented(t *testing.T) contract {
	t.Helper()
	c := contract{labels: map[string][]string{
		// Prometheus' own, and those of its Go library.
		"up": nil, "go_goroutines": nil, "process_cpu_seconds_total": nil, "process_resident_memory_bytes": nil, "process_start_time_seconds": nil,
	}}
	text := read(t, operations)
	quoted := regexp.MustCompile("`([^`]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `(aws_iam_authenticator_\\w+)` \\| (\\w+) \\|([^|]*)\\|").FindAllStringSubmatch(text, -1) {
		var of []string
		for _, label := range quoted.FindAllStringSubmatch(row[3], -1) {
			of = append(of, label[1])
		}
		c.labels[row[1]] = of
		if row[2] == "histogram" {
			delete(c.labels, row[1])
			c.labels[row[1]+"_count"], c.labels[row[1]+"_sum"] = of, of
			c.labels[row[1]+"_bucket"] = append(slices.Clone(of), "le")
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|.*\\| (?:200|400|503)[^|]*\\|$").FindAllStringSubmatch(text, -1) {
		c.results = append(c.results, row[1])
	}
	return c
}

// check holds an expression to the contract, and says which metrics it asks for.
func (c contract) check(t *testing.T, name, text string) (metrics []string) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	known := []string{"job", "instance"}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		of, exists := c.labels[selector.Name]
		if !exists {
			t.Errorf("%s: there is no metric %s", name, selector.Name)
		}
		metrics = append(metrics, selector.Name)
		known = append(known, of...)
		for _, matcher := range selector.LabelMatchers {
			c.checkMatcher(t, name, selector.Name, matcher)
		}
		return nil
	})
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if aggregate, ok := node.(*parser.AggregateExpr); ok {
			for _, label := range aggregate.Grouping {
				if !slices.Contains(known, label) {
					t.Errorf("%s: by %s, which no metric there has", name, label)
				}
			}
		}
		return nil
	})
	return metrics
}

func (c contract) checkMatcher(t *testing.T, name, metric string, matcher *labels.Matcher) {
	t.Helper()
	switch {
	case slices.Contains([]string{model.MetricNameLabel, "job", "instance"}, matcher.Name):
	case !slices.Contains(c.labels[metric], matcher.Name):
		t.Errorf("%s: %s has no label %s", name, metric, matcher.Name)
	case matcher.Name == "result":
		for value := range strings.SplitSeq(matcher.Value, "|") {
			if !slices.Contains(c.results, value) {
				t.Errorf("%s: there is no result %q", name, value)
			}
		}
	}
}

func TestAlertsAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	c := documented(t)
	for _, rule := range rules(t) {
		if len(c.check(t, rule.Alert, rule.Expr)) == 0 {
			t.Errorf("%s asks for no metric", rule.Alert)
		}
	}
}

// TestEveryAlertHasItsSection holds the alerts to the headings of
// docs/operations.md, to which they lead.
func TestEveryAlertHasItsSection(t *testing.T) {
	t.Parallel()
	var alerts, sections []string
	for _, rule := range rules(t) {
		alerts = append(alerts, rule.Alert)
		if want := "https://github.com/kube-iam/authenticator/blob/main/docs/operations.md#" + strings.ToLower(rule.Alert); rule.Annotations["runbook_url"] != want {
			t.Errorf("%s leads to %q", rule.Alert, rule.Annotations["runbook_url"])
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) || rule.For == 0 {
			t.Errorf("%s has severity %q, for %s", rule.Alert, rule.Labels["severity"], rule.For)
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^### (Authenticator\w+)$`).FindAllStringSubmatch(read(t, operations), -1) {
		sections = append(sections, heading[1])
	}
	if !slices.Equal(alerts, sections) {
		t.Errorf("there are\nalerts   %v\nsections %v", alerts, sections)
	}
}

// A panel of the dashboard, as far as it can be wrong.
type panel struct {
	ID          int
	Type, Title string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ Expr string }
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	c := documented(t)
	shown, ids, cells := map[string]bool{}, map[int]bool{}, map[[2]int]string{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("%s: another panel has ID %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s is over the edge, or over %q", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			// As Grafana fills them in.
			expr := strings.NewReplacer("$__rate_interval", "5m", "$job", "authenticator", "$instance", ".+").Replace(target.Expr)
			for _, metric := range c.check(t, p.Title, expr) {
				shown[regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(metric, "")] = true
			}
		}
	}
	for _, metric := range slices.Sorted(maps.Keys(c.labels)) {
		metric = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(metric, "")
		if strings.HasPrefix(metric, "aws_iam_authenticator_") && !shown[metric] {
			t.Errorf("no panel shows %s", metric)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
