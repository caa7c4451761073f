package trail

import (
	"strconv"
	"strings"
	"testing"
)

// TestTrailIsBounded checks the limits on the number and the size of events.
func TestTrailIsBounded(t *testing.T) {
	kept := New()
	for i := range maxEvents + 5 {
		kept.Add(Event{EventName: strconv.Itoa(i)})
	}
	if events := kept.Events(); len(events) != maxEvents || events[0].EventName != "5" || events[maxEvents-1].EventName != strconv.Itoa(maxEvents+4) {
		t.Errorf("%d events, from %s", len(events), events[0].EventName)
	}
	large := strings.Repeat("x", 1<<20)
	for range 20 {
		kept.Add(Event{EventName: "large", UserAgent: large})
	}
	if events := kept.Events(); len(events) != 15 || events[0].EventName != "large" {
		t.Errorf("%d events, from %s", len(events), events[0].EventName)
	}
	if events, next, _ := kept.From(7); len(events) != 15 || next != maxEvents+25 {
		t.Errorf("from a dropped event: %d events until %d", len(events), next)
	}
	if events, _, _ := kept.From(maxEvents + 1000); len(events) != 0 {
		t.Errorf("from a future event: %d events", len(events))
	}
}
