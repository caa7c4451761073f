package cluster

import (
	"context"
	"maps"
	"time"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// maxUnfreed is how long the memory that reading tables took stays at most.
const maxUnfreed = time.Minute

// freeMemory returns memory to the operating system after tables were read, until ctx is
// done. Reading allocates many times the memory of a table, and then none for a long time.
// Returning it stops the others for a moment, and getting it back slows the next reading. So
// it is done once none of the tables has changed for a second, or, while they go on changing,
// once in maxUnfreed.
func freeMemory(ctx context.Context, tables func() map[*mapper.Table]struct{}, free func()) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	before, changedAt := tables(), time.Now() // they may have been read just now
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := tables()
		changed := !maps.Equal(before, now)
		before = now
		if changed && changedAt.IsZero() {
			changedAt = time.Now()
		}
		if !changedAt.IsZero() && (!changed || time.Since(changedAt) >= maxUnfreed) {
			free()
			changedAt = time.Time{}
		}
	}
}
