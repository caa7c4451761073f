package cluster

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// TestFreeMemory checks that memory is returned soon after the start, once tables rest, and once a
// minute while they go on changing.
func TestFreeMemory(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		name string
		// A table is read at 10.25 s, and then every this long, before until.
		every, until time.Duration
		want         []time.Duration
	}{
		{"no change", s, 0, []time.Duration{s}},
		{"one change", s, 11 * s, []time.Duration{s, 12 * s}},
		{"twenty changes a second", 50 * time.Millisecond, 20 * s, []time.Duration{s, 21 * s}},
		{"changes with rests", 5 * s, 21 * s, []time.Duration{s, 12 * s, 17 * s, 22 * s}},
		{"changes without a rest", 500 * time.Millisecond, 100 * s, []time.Duration{s, 71 * s, 101 * s}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				begin := time.Now()
				next, table := 10*s+s/4, &mapper.Table{}
				tables := func() map[*mapper.Table]struct{} {
					for ; next < test.until && next <= time.Since(begin); next += test.every {
						table = &mapper.Table{}
					}
					return map[*mapper.Table]struct{}{table: {}}
				}
				var got []time.Duration
				freeMemory(ctx, tables, func() { got = append(got, time.Since(begin)) })
				if !slices.Equal(got, test.want) {
					t.Errorf("freed at %v, want %v", got, test.want)
				}
			})
		})
	}
}
