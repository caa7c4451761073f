package server

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
)

// recording is a journal that records the IDs of decisions.
type recording struct {
	journal
	mu  sync.Mutex
	ids []string
}

func newRecording() *recording {
	r := &recording{}
	r.record = func(e entry) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ids = append(r.ids, e.decision.ID)
	}
	return r
}

func (r *recording) decide(ids ...string) {
	for _, id := range ids {
		r.add(entry{decision: &authn.Decision{ID: id}})
	}
}

// want checks the decisions that are recorded.
func (r *recording) want(t *testing.T, when string, ids ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.ids, ids) {
		t.Errorf("%s: %q are recorded, want %q", when, r.ids, ids)
	}
}

// pass lets time pass, and waits for what its end begins.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestJournal checks that decisions are recorded once, in their order, and soon.
func TestJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newRecording()
		j.decide("a", "b")
		j.want(t, "at once")
		pass(journalPeriod / 2)
		j.decide("c")
		pass(journalPeriod / 2)
		j.want(t, "after the period", "a", "b", "c")
		pass(time.Second)
		j.decide("d")
		pass(journalPeriod)
		j.want(t, "after the next period", "a", "b", "c", "d")
		j.decide("e")
		j.flush()
		j.want(t, "after a flush", "a", "b", "c", "d", "e")
		pass(time.Second)
		j.want(t, "in the end", "a", "b", "c", "d", "e")
	})
}

// TestJournalIsShown checks that who asks for the decisions gets them all.
func TestJournalIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newRecording()
		handler := j.flushed(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Join(j.ids, " ")))
		}))
		j.decide("a", "b")
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil)); w.Body.String() != "a b" {
			t.Errorf("%q are shown", w.Body)
		}
	})
}

// TestFullJournal checks that a journal holds no more than maxEntries decisions, and that
// none of them is lost when many goroutines decide.
func TestFullJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newRecording()
		for range maxEntries {
			j.decide("early")
		}
		j.want(t, "while there is room")
		j.decide("late")
		if len(j.ids) != maxEntries+1 || len(j.entries) > 0 {
			t.Errorf("%d decisions are recorded, and %d are not", len(j.ids), len(j.entries))
		}
		var deciding sync.WaitGroup
		const routines, each = 50, 100
		for range routines {
			deciding.Go(func() {
				for range each {
					j.decide("more")
				}
			})
		}
		deciding.Wait()
		pass(journalPeriod)
		if want := maxEntries + 1 + routines*each; len(j.ids) != want {
			t.Errorf("%d decisions are recorded, want %d", len(j.ids), want)
		}
	})
}
