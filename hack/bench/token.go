package main

import (
	"fmt"
	"slices"

	"github.com/kube-iam/authenticator/internal/loadtest/program"
	"github.com/kube-iam/authenticator/internal/loadtest/stats"
)

// runsARound is how often each program runs in one round.
const runsARound = 20

// token measures the credential plugin, which kubectl starts at every call: the
// whole process. `version`, which does nothing, shows the cost of the program
// itself.
func (b *bench) token() ([]line, error) {
	env := append(b.bareEnvironment(), "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	makeToken, tellVersion := []string{"token", "--cluster-id", clusterID}, []string{"version"}
	cachedToken := slices.Concat(makeToken, []string{"--cache"}) // the first run makes it
	runs := []*runsOf{
		{command: program.Command{Path: b.ours, Args: makeToken, Env: env}},
		{command: program.Command{Path: b.peer, Args: makeToken, Env: env}},
		{command: program.Command{Path: b.ours, Args: tellVersion, Env: env}},
		{command: program.Command{Path: b.peer, Args: tellVersion, Env: env}},
		{command: program.Command{Path: b.ours, Args: cachedToken, Env: env}},
	}
	for round := range b.rounds {
		if err := b.runAll(runs); err != nil {
			return nil, err
		}
		b.say("token, round %d of %d: ours %s, peer %s, ours cached %s; version: ours %s, peer %s", round+1, b.rounds, runs[0], runs[1], runs[4], runs[2], runs[3])
	}
	oursToken, peerToken, oursVersion, peerVersion, oursCached := runs[0], runs[1], runs[2], runs[3], runs[4]
	return []line{
		line{measure: "token, wall", ours: inMilliseconds(oursToken.wall), peer: inMilliseconds(peerToken.wall)}.
			withRatio("× peer", stats.Ratios(oursToken.wall, peerToken.wall), atMost(0.6, "")),
		line{measure: "token --cache, cached, wall", ours: inMilliseconds(oursCached.wall), peer: inMilliseconds(peerToken.wall)}.
			withRatio("× peer's token", stats.Ratios(oursCached.wall, peerToken.wall), atMost(0.4, "")),
		line{measure: "token, peak memory", ours: inMiB(oursToken.peak), peer: inMiB(peerToken.peak)}.
			withRatio("× peer", stats.Ratios(oursToken.peak, peerToken.peak), atMost(0.6, "")),
		line{measure: "version, peak memory", ours: inMiB(oursVersion.peak), peer: inMiB(peerVersion.peak)}.
			withRatio("× peer", stats.Ratios(oursVersion.peak, peerVersion.peak), noGoal()),
	}, nil
}

// runsOf holds the runs of a command: the medians of each round.
type runsOf struct {
	command    program.Command
	wall, peak []float64
}

// runAll runs each command in turn, repeatedly, for one round.
func (b *bench) runAll(runs []*runsOf) error {
	wall, peak := make([][]float64, len(runs)), make([][]float64, len(runs))
	for range runsARound {
		for i, r := range runs {
			once, err := program.RunOnce(b.ctx, b.self, r.command)
			if err != nil {
				return err
			}
			wall[i] = append(wall[i], float64(once.Wall.Microseconds())/1000)
			peak[i] = append(peak[i], once.Peak)
		}
	}
	for i, r := range runs {
		r.wall, r.peak = append(r.wall, stats.Median(wall[i])), append(r.peak, stats.Median(peak[i]))
	}
	return nil
}

// String formats the last round.
func (r *runsOf) String() string {
	last := len(r.wall) - 1
	return fmt.Sprintf("%.1f ms %.1f MiB", r.wall[last], r.peak[last])
}
