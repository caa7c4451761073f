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
	// slowRefusal is how long STS takes to refuse the junk.
	slowRefusal = 5 * time.Second
	// yesWithin is how long a user waits to sign in.
	yesWithin = 10 * time.Second
)

// slowRefusal measures whether users who have signed in before still can, while a
// flood keeps their own region busy with refusals.
func (b *bench) slowRefusal() ([]line, error) {
	b.sts.RefuseAfter(slowRefusal)
	defer b.sts.RefuseAfter(0)
	share, repeatedP99 := map[string][]float64{}, map[string][]float64{}
	for round := range b.rounds {
		for _, name := range []string{ours, peer} {
			b.say("slow-refusal, round %d of %d, %s:", round+1, b.rounds, name)
			fresh, repeated, err := b.floodOwnRegion(name)
			if err != nil {
				return nil, err
			}
			share[name] = append(share[name], 100*float64(fresh.Answers[review.Yes])/float64(fresh.Due()))
			repeatedP99[name] = append(repeatedP99[name], repeated.P99())
		}
	}
	percent := func(name string) string { return fmt.Sprintf("%.1f %%", stats.Median(share[name])) }
	return []line{
		line{measure: "slow refusals: known keys let in within 10 s", ours: percent(ours), peer: percent(peer)}.withValues(share[ours], atLeast(99, " %")),
		line{measure: "slow refusals: repeated tokens' p99", ours: inMilliseconds(repeatedP99[ours]), peer: inMilliseconds(repeatedP99[peer])}.
			withValues(repeatedP99[ours], atMost(20, " ms")),
	}, nil
}

func (b *bench) floodOwnRegion(name string) (fresh, repeated *load.Result, err error) {
	server, err := b.serve(name, floodUsers)
	if err != nil {
		return nil, nil, err
	}
	defer server.Stop()
	// Every user signs in once.
	next := b.goodReviews(floodUsers)
	bodies := make([][]byte, floodUsers)
	for i := range bodies {
		bodies[i] = next()
		if answer, status := server.Ask(b.ctx, bodies[i]); answer != review.Yes {
			return nil, nil, fmt.Errorf("%s: a good token got the answer %s (HTTP %d)", name, answer, status)
		}
	}
	stop := b.flood(server, b.reviewsOf(sts.UnknownKey, sts.Region, 0))
	done := make(chan *load.Result, 1)
	go func() { done <- server.Open(b.ctx, goodRate, floodLasts, yesWithin, again(bodies)) }()
	fresh = server.Open(b.ctx, goodRate, floodLasts, yesWithin, next)
	repeated = <-done
	b.say("  new tokens: %s\n  repeated tokens: %s\n  junk: %s", fresh, repeated, stop())
	return fresh, repeated, nil
}
