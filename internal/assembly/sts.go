package assembly

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// NewClient returns a client of STS, and a meter that compares the clock of this machine
// with that of STS whenever STS answers the client.
func NewClient(config verify.Config, now func() time.Time) (*verify.STS, *skew.Meter) {
	return newComparingClient(config, skew.Config{Machine: "this machine", Now: now})
}

// NewServerClient is NewClient for the server. It names the machine, because people on
// other machines read what it reports about the clock.
func NewServerClient(config verify.Config, log *slog.Logger, m *metrics.Metrics) (*verify.STS, *skew.Meter) {
	machine := "the server"
	if name, err := os.Hostname(); err == nil {
		machine += " on " + name
	}
	sts, clocks := newComparingClient(config, skew.Config{Machine: machine, Log: log})
	m.FollowClock(clocks.Ahead)
	return sts, clocks
}

func newComparingClient(config verify.Config, comparison skew.Config) (*verify.STS, *skew.Meter) {
	var sts *verify.STS
	comparison.Date = func(ctx context.Context, origin string) (time.Time, error) { return sts.Date(ctx, origin) }
	clocks := skew.New(comparison)
	observe := config.Observe
	config.Observe = func(o verify.Observation) {
		if observe != nil {
			observe(o)
		}
		clocks.Observe(o)
	}
	sts = verify.New(config)
	return sts, clocks
}
