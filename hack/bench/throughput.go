package main

import (
	"fmt"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/load"
	"github.com/kube-iam/authenticator/internal/loadtest/program"
	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/stats"
)

const (
	// In a round the servers take many short turns each, because the speed of a machine
	// can change within a second.
	turns     = 30
	turnLasts = 100 * time.Millisecond
	warmUp    = 500 * time.Millisecond
	// throughputUsers are few: mapping is not what this measures.
	throughputUsers = 100
	// repeatedTokens is about the number of tokens in use at a time in a busy
	// cluster.
	repeatedTokens = 256
)

// distinct measures new tokens, 64 at a time.
func (b *bench) distinct() ([]line, error) {
	took, err := b.throughput("distinct", withSTS, 64, b.goodReviews(throughputUsers))
	if err != nil {
		return nil, err
	}
	return took.lines("distinct tokens, c=64", atLeast(0.9, ""), noGoal()), nil
}

// repeated measures tokens that were just verified.
func (b *bench) repeated() ([]line, error) {
	next := b.goodReviews(throughputUsers)
	bodies := make([][]byte, repeatedTokens)
	for i := range bodies {
		bodies[i] = next()
	}
	took, err := b.throughput("repeated", withoutSTS, 64, again(bodies))
	if err != nil {
		return nil, err
	}
	return took.lines("repeated tokens, c=64", atLeast(0.9, ""), noGoal()), nil
}

// single measures new tokens, one at a time.
func (b *bench) single() ([]line, error) {
	took, err := b.throughput("single", withSTS, 1, b.goodReviews(throughputUsers))
	if err != nil {
		return nil, err
	}
	return took.lines("distinct tokens, c=1", atLeast(0.92, ""), atLeast(1, "")), nil
}

// rates are callers let in per second, one value per round.
type rates struct{ ours, peer, floor []float64 }

// throughput starts the three servers, and sends each in turn as much as it can
// take.
func (b *bench) throughput(name, floorKind string, concurrency int, next func() []byte) (rates, error) {
	var took rates
	servers, stop, err := b.serveThree(floorKind)
	defer stop()
	if err != nil {
		return took, err
	}
	for _, s := range servers {
		s.Closed(b.ctx, concurrency, warmUp, next)
	}
	for round := range b.rounds {
		results := make([]load.Result, len(servers))
		for range turns {
			for i, s := range servers {
				turn := s.Closed(b.ctx, concurrency, turnLasts, next)
				results[i].Merge(turn)
				results[i].Elapsed += turn.Elapsed
			}
		}
		for i, rate := range []*[]float64{&took.ours, &took.peer, &took.floor} {
			b.say("%s, round %d of %d, %s: %s", name, round+1, b.rounds, servers[i].Name, &results[i])
			if err := allYes(&results[i]); err != nil {
				return took, fmt.Errorf("%s: %w", servers[i].Name, err)
			}
			*rate = append(*rate, results[i].PerSecond())
		}
	}
	return took, nil
}

// serveThree starts ours, the peer and the floor. Stop stops those that started.
func (b *bench) serveThree(floorKind string) (servers []*program.Server, stop func(), err error) {
	stop = func() {
		for _, s := range servers {
			s.Stop()
		}
	}
	for _, start := range []func() (*program.Server, error){
		func() (*program.Server, error) { return b.serve(ours, throughputUsers) },
		func() (*program.Server, error) { return b.serve(peer, throughputUsers) },
		func() (*program.Server, error) { return b.serveFloor(floorKind) },
	} {
		server, err := start()
		if err != nil {
			return servers, stop, err
		}
		servers = append(servers, server)
	}
	return servers, stop, nil
}

// allYes returns an error if a token was rejected: a server that rejects is fast.
func allYes(r *load.Result) error {
	if r.Answers[review.Yes] == 0 || r.Answers[review.Yes] < r.Sent()*99/100 {
		return fmt.Errorf("good tokens were rejected: %s", r)
	}
	return nil
}

func (r rates) lines(measure string, ofFloor, ofPeer goal) []line {
	perSecond := func(values []float64) string { return fmt.Sprintf("%.0f/s", stats.Median(values)) }
	l := line{measure: measure, ours: perSecond(r.ours), peer: perSecond(r.peer), floor: perSecond(r.floor)}
	return []line{
		l.withRatio("× floor", stats.Ratios(r.ours, r.floor), ofFloor),
		line{measure: measure}.withRatio("× peer", stats.Ratios(r.ours, r.peer), ofPeer),
	}
}
