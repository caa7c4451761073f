package cluster

import (
	"context"
	"maps"
	"time"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// maxUnfreed is how long freeMemory waits at most while tables go on changing.
const maxUnfreed = time.Minute

// freeMemory returns memory to the operating system after tables were read, until ctx is done.
// Reading a table allocates many times its size. Returning that memory stops the server for a
// moment, and the next reading has to get it back. So freeMemory waits until no table has
// changed for a second, but not longer than maxUnfreed.
func freeMemory(ctx context.Context, tables func() map[*mapper.Table]struct{}, free func()) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	// They may have been read before this. unfreedSince is zero if there is nothing to free.
	before, unfreedSince := tables(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := tables()
		changed := !maps.Equal(before, now)
		before = now
		if changed && unfreedSince.IsZero() {
			unfreedSince = time.Now()
		}
		if !unfreedSince.IsZero() && (!changed || time.Since(unfreedSince) >= maxUnfreed) {
			free()
			unfreedSince = time.Time{}
		}
	}
}
