package exposition_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kube-iam/authenticator/internal/exposition"
)

// hostile is a label value that must be escaped.
const hostile = "a\\b\n\"c\",d=\"e"

// TestTextIsThatOfClientGolang compares the text with that of Prometheus' own library.
func TestTextIsThatOfClientGolang(t *testing.T) {
	ours := exposition.New("x_")
	ours.Counter("first_total", `Help with \ and`+"\nlines.").Inc()
	requests := ours.Counters("requests_total", "Requests.", "code", "region")
	requests.With("200", hostile).Inc()
	requests.With("200", "eu").Inc()
	requests.With("200", "eu").Inc()
	ours.Counters("never_total", "No series yet.", "code")
	level := ours.Gauge("level", "Level.")
	level.Set(-0.5)
	level.Inc()
	level.Dec()
	huge := ours.Gauge("huge", "Huge.")
	huge.Set(math.MaxFloat64)
	latency := ours.Histograms("latency_seconds", "Latency.", []float64{0.005, 1, 2.5}, "result")
	for _, value := range []float64{0, 0.005, 0.0050001, 1, 2, 3e9} {
		latency.With("yes").Observe(value)
	}
	ours.Histogram("plain_seconds", "Without labels.", []float64{1}).Observe(math.Inf(1))
	age := ours.Family(exposition.Gauge, "age_seconds", "Age.", "cluster")
	ours.Family(exposition.Gauge, "empty", "No samples.")
	ours.Collect(func(sample exposition.Sampler) {
		sample(age, 2, "red")
		sample(age, 1e6, "blue")
	})

	theirs := prometheus.NewRegistry()
	first := prometheus.NewCounter(prometheus.CounterOpts{Name: "x_first_total", Help: `Help with \ and` + "\nlines."})
	first.Inc()
	theirRequests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "x_requests_total", Help: "Requests."}, []string{"code", "region"})
	theirRequests.WithLabelValues("200", hostile).Inc()
	theirRequests.WithLabelValues("200", "eu").Add(2)
	theirLevel := prometheus.NewGauge(prometheus.GaugeOpts{Name: "x_level", Help: "Level."})
	theirLevel.Set(-0.5)
	theirHuge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "x_huge", Help: "Huge."})
	theirHuge.Set(math.MaxFloat64)
	theirLatency := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "x_latency_seconds", Help: "Latency.", Buckets: []float64{0.005, 1, 2.5}}, []string{"result"})
	for _, value := range []float64{0, 0.005, 0.0050001, 1, 2, 3e9} {
		theirLatency.WithLabelValues("yes").Observe(value)
	}
	plain := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x_plain_seconds", Help: "Without labels.", Buckets: []float64{1}})
	plain.Observe(math.Inf(1))
	theirAge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "x_age_seconds", Help: "Age."}, []string{"cluster"})
	theirAge.WithLabelValues("red").Set(2)
	theirAge.WithLabelValues("blue").Set(1e6)
	theirs.MustRegister(first, theirRequests, theirLevel, theirHuge, theirLatency, plain, theirAge)

	if diff := cmp.Diff(textOf(theirs), own(string(ours.Text()))); diff != "" {
		t.Errorf("(-client_golang +exposition)\n%s", diff)
	}
}

// TestRuntimeAndProcess checks that the metrics that client_golang has of the Go runtime
// and the process exist here under the same names, as the same types.
func TestRuntimeAndProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("servers run on Linux")
	}
	theirs := prometheus.NewRegistry()
	theirs.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	ours := strings.Split(string(exposition.New("").Text()), "\n")
	for line := range strings.Lines(textOf(theirs)) {
		line = strings.TrimSuffix(line, "\n")
		// The package runtime/metrics, which has the latter, takes long to initialize.
		if strings.HasPrefix(line, "# TYPE ") && !strings.Contains(line, "go_gc_gogc_percent") && !slices.Contains(ours, line) {
			t.Errorf("no line %q", line)
		}
	}
	for _, name := range []string{"process_start_time_seconds", "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_virtual_memory_max_bytes", "process_open_fds", "process_max_fds"} {
		want, got := valueOf(t, textOf(theirs), name), valueOf(t, string(exposition.New("").Text()), name)
		if math.Abs(want-got) > want/10 {
			t.Errorf("%s is %g, and %g in client_golang", name, got, want)
		}
	}
}

func TestServe(t *testing.T) {
	w := httptest.NewRecorder()
	r := exposition.New("x_")
	r.Counter("first_total", "First.").Inc()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if got := w.Header().Get("Content-Type"); got != exposition.ContentType || !strings.HasPrefix(w.Body.String(), "# HELP x_first_total First.\n# TYPE x_first_total counter\nx_first_total 1\n") {
		t.Errorf("%s\n%s", got, w.Body)
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	r := exposition.New("x_")
	counters, latency := r.Counters("all_total", "All.", "n"), r.Histogram("latency_seconds", "Latency.", []float64{1})
	done := make(chan struct{})
	const each, routines = 1000, 4
	for range routines {
		go func() {
			for range each {
				counters.With("1").Inc()
				latency.Observe(1)
			}
			done <- struct{}{}
		}()
	}
	for range routines {
		_ = r.Text()
		<-done
	}
	if text := string(r.Text()); valueOf(t, text, `x_all_total{n="1"}`) != each*routines || valueOf(t, text, "x_latency_seconds_sum") != each*routines {
		t.Error(text)
	}
}

func textOf(g prometheus.Gatherer) string {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// own returns the lines of the metrics that begin with x_.
func own(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "); strings.HasPrefix(name, "x_") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func valueOf(t *testing.T, text, name string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return parse(t, strings.TrimSpace(value))
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

func parse(t *testing.T, text string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
