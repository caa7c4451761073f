package metrics

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/kube-iam/authenticator/internal/exposition"
)

// dynamicFile is the name of the source that the gauges dynamic_file_* report.
const dynamicFile = "DynamicFile"

// The kinds of updates that [Metrics.ObserveUpdate] observes.
const (
	UpdateDynamicFile = "dynamic_file"
	UpdateBackendMode = "dynamic_backend_mode"
)

// dynamicFiles are the metrics of the files in which a control plane writes access
// entries and the backend mode.
type dynamicFiles struct {
	failures *exposition.Value
	latency  *exposition.Vector[*exposition.Distribution]
}

func newDynamicFiles(r *exposition.Registry) dynamicFiles {
	d := dynamicFiles{
		failures: r.Counter("dynamicfile_failures_total", "Versions of a DynamicFile or a backend mode file that could not be used, and failed switches of the mode."),
		latency: r.Histograms("dynamic_e2e_latency_seconds", "Time from LastUpdatedDateTime in a file until its content was in force, by type of file.",
			[]float64{1, 3, 5, 10, 15, 20, 30, 60}, "type"),
	}
	for _, kind := range []string{UpdateDynamicFile, UpdateBackendMode} {
		d.latency.With(kind)
	}
	return d
}

// ObserveDynamicFailure returns the function that counts failures of dynamic files.
func (m *Metrics) ObserveDynamicFailure() func() { return m.dynamic.failures.Inc }

// ObserveUpdate returns the function that observes how long an update took, from its
// LastUpdatedDateTime until now. The log gets a line if that is not a time in the past.
func (m *Metrics) ObserveUpdate(kind string, now func() time.Time, log *slog.Logger) func(lastUpdated string) {
	return func(lastUpdated string) {
		seconds, err := strconv.ParseInt(lastUpdated, 10, 64)
		took := now().Unix() - seconds
		if err != nil || took < 0 {
			log.Warn("the latency of an update is unknown: LastUpdatedDateTime is not a time in the past, in seconds since 1970", "type", kind, "time", lastUpdated[:min(len(lastUpdated), 32)])
			return
		}
		m.dynamic.latency.With(kind).Observe(float64(took))
	}
}
