// Package trail remembers the calls of all accounts, as CloudTrail records them.
package trail

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

const (
	// maxEvents bounds the remembered events; the oldest are dropped.
	maxEvents = 10_000
	// maxTrail bounds their memory.
	maxTrail = 16 << 20
)

// A Trail remembers the last calls.
type Trail struct {
	mu sync.Mutex
	// events are the remembered events, the oldest first; first is the number of the
	// oldest.
	events []Record
	first  uint64
	size   int
	// more is closed when there are more events.
	more chan struct{}
}

// A Record is an event, encoded so that it cannot change and its size is known.
type Record struct {
	Text []byte
	Time time.Time
	// Account is the ID of the account whose event it is.
	Account string
	// Attributes for lookups.
	ID, Name, Region, Source, Caller, AccessKeyID string
	ReadOnly                                      bool
	Resource                                      Resource
}

// New returns an empty trail.
func New() *Trail { return &Trail{more: make(chan struct{})} }

// Add remembers an event, and drops the oldest beyond the limits.
func (t *Trail) Add(event Event) {
	text, err := json.Marshal(event)
	if err != nil { // cannot happen: these types always encode
		return
	}
	r := Record{
		Text: text, Time: event.EventTime, Account: event.RecipientAccountID, ID: event.EventID,
		Name: event.EventName, Region: event.AWSRegion, Source: event.EventSource,
		Caller: event.UserIdentity.Caller(), AccessKeyID: event.UserIdentity.AccessKeyID, ReadOnly: event.ReadOnly,
	}
	if len(event.Resources) > 0 {
		r.Resource = event.Resources[0]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, r)
	t.size += len(text)
	for len(t.events) > maxEvents || t.size > maxTrail {
		t.size -= len(t.events[0].Text)
		t.events[0] = Record{}
		t.events = t.events[1:]
		t.first++
	}
	close(t.more)
	t.more = make(chan struct{})
}

// From returns the remembered events from a number on, a thousand at most, the
// number of the next one, and a channel that closes when there is one.
func (t *Trail) From(number uint64) (events []Record, next uint64, more <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	start := min(max(number, t.first)-t.first, uint64(len(t.events)))
	end := min(start+1000, uint64(len(t.events)))
	return slices.Clone(t.events[start:end]), t.first + end, t.more
}

// Before returns the remembered events before a number, the newest first, and the
// number of the oldest.
func (t *Trail) Before(number uint64) (events []Record, oldest uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := min(max(number, t.first)-t.first, uint64(len(t.events)))
	events = slices.Clone(t.events[:end])
	slices.Reverse(events)
	return events, t.first
}

// Events returns the remembered events, the oldest first.
func (t *Trail) Events() []Event {
	var all []Event
	for number := uint64(0); ; {
		var records []Record
		if records, number, _ = t.From(number); len(records) == 0 {
			return all
		}
		for _, r := range records {
			var event Event
			if json.Unmarshal(r.Text, &event) == nil { // decodes what Add encoded
				all = append(all, event)
			}
		}
	}
}
