package main

import (
	"fmt"
	"time"
)

const (
	// memoryUsers are mapped in the memory row.
	memoryUsers = 10_000
	// settles is how long a server rests before it counts as idle.
	settles = 3 * time.Second
	// oursLimit and peerLimit bound the time for the tokens of the memory row. The
	// peer does not finish: it caches none, so its memory after fewer tokens is the
	// same.
	oursLimit = 5 * time.Minute
	peerLimit = 2 * time.Minute
)

// memory measures the memory for 10 000 mapped users, idle and after many tokens.
func (b *bench) memory() ([]line, error) {
	idle := map[string][]float64{}
	for round := range b.rounds {
		for _, name := range []string{ours, peer} {
			now, err := b.idleMemory(name)
			if err != nil {
				return nil, err
			}
			b.say("memory, round %d of %d, %s idle: %.1f MiB", round+1, b.rounds, name, now)
			idle[name] = append(idle[name], now)
		}
	}
	oursAfter, err := b.memoryAfterTokens(ours, oursLimit)
	if err != nil {
		return nil, err
	}
	peerAfter, err := b.memoryAfterTokens(peer, peerLimit)
	if err != nil {
		return nil, err
	}
	return []line{
		line{measure: fmt.Sprintf("%d users: memory, idle", memoryUsers), ours: inMiB(idle[ours]), peer: inMiB(idle[peer])}.
			withValues(idle[ours], atMost(35, " MiB")),
		line{measure: fmt.Sprintf("%d users: memory after %d tokens", memoryUsers, b.tokens), ours: oursAfter.cell(b.tokens), peer: peerAfter.cell(b.tokens)}.
			withGoal(oursAfter.memory, atMost(60, " MiB")),
	}, nil
}

func (b *bench) idleMemory(name string) (float64, error) {
	server, err := b.serve(name, memoryUsers)
	if err != nil {
		return 0, err
	}
	defer server.Stop()
	select {
	case <-time.After(settles):
	case <-b.ctx.Done():
	}
	now, _, err := server.Memory()
	return now, err
}

// afterTokens returns the resident memory of a server after many tokens.
type afterTokens struct {
	memory float64
	sent   int
}

// cell adds how many tokens were sent, if fewer than planned.
func (a afterTokens) cell(wanted int) string {
	if a.sent < wanted {
		return fmt.Sprintf("%.1f MiB (after %d)", a.memory, a.sent)
	}
	return fmt.Sprintf("%.1f MiB", a.memory)
}

func (b *bench) memoryAfterTokens(name string, limit time.Duration) (afterTokens, error) {
	server, err := b.serve(name, memoryUsers)
	if err != nil {
		return afterTokens{}, err
	}
	defer server.Stop()
	b.say("memory, %s: sending %d tokens, for at most %s", name, b.tokens, limit)
	result := server.Count(b.ctx, 64, b.tokens, limit, b.goodReviews(memoryUsers))
	now, peak, err := server.Memory()
	b.say("memory, %s: %.1f MiB after %d tokens, %.1f at most: %s", name, now, result.Sent(), peak, result)
	if err != nil {
		return afterTokens{}, err
	}
	return afterTokens{now, result.Sent()}, allYes(result)
}
