//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a client waits to be signed in. The AWS CLI alone takes seconds
// on a busy machine.
const patience = time.Minute

// A client signs in over and over.
type client struct {
	name   string
	every  time.Duration
	signIn func(context.Context) error
}

// kubectlSignsIn has kubectl get a token and ask who is calling.
func (s *shell) kubectlSignsIn(ctx context.Context) error {
	output, err := s.command(ctx, "kubectl", "auth", "whoami").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

// signIns are how long clients took to sign in, and why some could not.
type signIns struct {
	mu     sync.Mutex
	took   map[string][]time.Duration
	errors map[string][]error
}

// collectSignIns has clients sign in for some time, and waits until all have their
// answer.
func collectSignIns(t *testing.T, lasts time.Duration, clients []client) *signIns {
	s := &signIns{took: map[string][]time.Duration{}, errors: map[string][]error{}}
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var signingIn sync.WaitGroup
	for _, c := range clients {
		signingIn.Go(func() {
			tick := time.NewTicker(c.every)
			defer tick.Stop()
			for ctx.Err() == nil {
				s.collect(t.Context(), c)
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	signingIn.Wait()
	return s
}

func (s *signIns) collect(ctx context.Context, c client) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	started := time.Now()
	err := c.signIn(ctx)
	took := time.Since(started)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took[c.name] = append(s.took[c.name], took)
	if err != nil {
		s.errors[c.name] = append(s.errors[c.name], err)
	}
}

// refusals say which clients did not sign in each time within their patience.
func (s *signIns) refusals() (refusals []string) {
	for _, name := range slices.Sorted(maps.Keys(s.took)) {
		if errs := s.errors[name]; len(errs) > 0 {
			refusals = append(refusals, fmt.Sprintf("%s did not sign in %d of %d times: %v", name, len(errs), len(s.took[name]), errs[0]))
		}
	}
	return refusals
}

// String is a line for each client.
func (s *signIns) String() string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.took)) {
		took := slices.Sorted(slices.Values(s.took[name]))
		at := func(part float64) time.Duration {
			return took[int(math.Ceil(part*float64(len(took))))-1].Round(time.Millisecond)
		}
		fmt.Fprintf(&text, "%-32s %4d sign-ins, %3d failed, p50 %6s, p99 %6s\n", name, len(took), len(s.errors[name]), at(0.5), at(0.99))
	}
	return text.String()
}
