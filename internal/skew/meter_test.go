package skew_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

const origin = "https://sts.eu-west-2.amazonaws.com"

// TestRun checks that a token with a wrong time makes the meter ask STS, so that the next
// reading knows, and that a flood of them makes it ask at most every 10 s.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		m := skew.New(skew.Config{Machine: "node-1", Date: func(_ context.Context, got string) (time.Time, error) {
			if got != origin {
				t.Errorf("asked %s", got)
			}
			if asked.Add(1) == 2 {
				return time.Time{}, errors.New("no answer")
			}
			return time.Now().Add(-time.Hour), nil
		}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { m.Run(ctx); close(ended) }()
		read := func() skew.Fault {
			r := m.Read(origin, time.Now().Add(-2*time.Hour), time.Now())
			synctest.Wait()
			return r.Fault()
		}
		if first, second := read(), read(); first != skew.Unknown || second != skew.Machine || asked.Load() != 1 {
			t.Errorf("%d, then %d, after %d requests", first, second, asked.Load())
		}
		// A comparison holds for 10 s. The next request fails.
		time.Sleep(9 * time.Second)
		if got := read(); got != skew.Machine {
			t.Errorf("after 9 s: %d", got)
		}
		time.Sleep(2 * time.Second)
		if first, second := read(), read(); first != skew.Unknown || second != skew.Unknown || asked.Load() != 2 {
			t.Errorf("after 11 s: %d, then %d, after %d requests", first, second, asked.Load())
		}
		for range 600 { // a minute
			read()
			time.Sleep(100 * time.Millisecond)
		}
		if asked.Load() > 8 {
			t.Errorf("%d requests", asked.Load())
		}
		cancel()
		<-ended
	})
}

// TestObserve checks that answers to tokens compare the clocks too, and that the log has
// a line only when the clock becomes wrong, and right again.
func TestObserve(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2026, 11, 23, 8, 24, 57, 900, time.UTC)
	m := skew.New(skew.Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }})
	m.Observe(verify.Observation{Region: "eu-west-2"})
	if ahead, known := m.Ahead(); known {
		t.Errorf("without a date: %s", ahead)
	}
	for _, step := range []struct {
		ahead time.Duration
		lines int
		last  string
	}{
		{59 * time.Second, 0, ""},
		{time.Minute, 1, `level=ERROR msg="the clock of this machine is wrong: set it, for example with timedatectl set-ntp true" aheadOfSTS=1m0s`},
		{-time.Hour, 1, ""},
		{0, 2, `level=INFO msg="the clock of this machine is right again" aheadOfSTS=0s`},
		{-59 * time.Second, 2, ""},
		{-time.Minute, 3, "aheadOfSTS=-1m0s"},
	} {
		m.Observe(verify.Observation{Status: 200, Date: now.Add(-step.ahead).Truncate(time.Second)})
		ahead, known := m.Ahead()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if ahead != step.ahead || !known || strings.Count(log.String(), "\n") != step.lines || !strings.HasSuffix(lines[len(lines)-1], step.last) {
			t.Errorf("%s: %s, %v\n%s", step.ahead, ahead, known, log.String())
		}
	}
}

// TestClockIsSet checks that every answer shows a change of the clock, also if the clock of STS
// stands still.
func TestClockIsSet(t *testing.T) {
	date := time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC)
	now := date
	m := skew.New(skew.Config{Now: func() time.Time { return now }})
	for _, want := range []time.Duration{0, 500 * time.Second, 500 * time.Second, 501 * time.Second, -time.Second, 0} {
		now = date.Add(want)
		m.Observe(verify.Observation{Date: date})
		if ahead, known := m.Ahead(); ahead != want || !known {
			t.Errorf("ahead by %s, want %s (known: %v)", ahead, want, known)
		}
	}
}
