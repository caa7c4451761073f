package main

import (
	"fmt"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/load"
	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/stats"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

const (
	// quietLasts is how long good tokens are sent before the flood.
	quietLasts = 4 * time.Second
	// junkLength is near our limit, to use memory. It exceeds the peer's limit of 4
	// KiB, so the peer rejects this junk unread.
	junkLength = 15 << 10
)

// deadRegion measures whether users whose region is healthy notice a flood of tokens
// for a region whose STS does not answer.
func (b *bench) deadRegion() ([]line, error) {
	took := map[string]*deadRegionRounds{ours: {}, peer: {}}
	for round := range b.rounds {
		for _, name := range []string{ours, peer} {
			b.say("dead-region, round %d of %d, %s:", round+1, b.rounds, name)
			if err := b.floodDeadRegion(name, took[name]); err != nil {
				return nil, err
			}
		}
	}
	return []line{
		line{measure: "dead region: new tokens' p99, quiet → flood", ours: took[ours].p99(), peer: took[peer].p99()}.
			withRatio("× quiet", stats.Ratios(took[ours].floodP99, took[ours].quietP99), atMost(5, "")),
		line{measure: "dead region: new tokens not let in", ours: took[ours].notLetIn(), peer: took[peer].notLetIn()}.
			withGoal(float64(took[ours].refused), none()),
		line{measure: "dead region: peak memory", ours: inMiB(took[ours].peak), peer: inMiB(took[peer].peak)}.
			withValues(took[ours].peak, atMost(96, " MiB")),
	}, nil
}

// deadRegionRounds holds the results of good tokens at one server, one value per
// round.
type deadRegionRounds struct {
	quietP99, floodP99, peak []float64
	due, refused             int
}

func (r *deadRegionRounds) p99() string {
	return fmt.Sprintf("%.1f → %.1f ms", stats.Median(r.quietP99), stats.Median(r.floodP99))
}

func (r *deadRegionRounds) notLetIn() string { return fmt.Sprintf("%d of %d", r.refused, r.due) }

// floodDeadRegion adds a round against a new server.
func (b *bench) floodDeadRegion(name string, took *deadRegionRounds) error {
	server, err := b.serve(name, floodUsers)
	if err != nil {
		return err
	}
	defer server.Stop()
	good := b.goodReviews(floodUsers)
	quiet := server.Open(b.ctx, goodRate, quietLasts, load.Timeout, good)
	stop := b.flood(server, b.reviewsOf(sts.UnknownKey, sts.DeadRegion, junkLength))
	flood := server.Open(b.ctx, goodRate, floodLasts, load.Timeout, good)
	_, peak, err := server.Memory()
	b.say("  quiet: %s\n  flood: %s\n  junk: %s\n  memory: %.1f MiB at most", quiet, flood, stop(), peak)
	took.quietP99, took.floodP99, took.peak = append(took.quietP99, quiet.P99()), append(took.floodP99, flood.P99()), append(took.peak, peak)
	took.due, took.refused = took.due+flood.Due(), took.refused+flood.Due()-flood.Answers[review.Yes]
	return err
}
