// Package sourcetest is the conformance suite of sources: however a source follows its
// place, it must handle edits, mistakes and removal like the others. The suite in
// pkg/mapper/mappertest checks the mappings that a source reads.
package sourcetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// Suite describes how the suite creates a source.
type Suite struct {
	// Make returns a source and its place, which holds the given sections of aws-auth.
	// It does not call Run.
	Make func(t *testing.T, sections map[string]string) Place
	// Unread returns a source with a place that cannot be read yet. It is nil if there
	// cannot be such a source.
	Unread func(t *testing.T) source.Source
	// Objects is set if the place has an object for each mapping, so that no section can
	// be broken.
	Objects bool
	// Synctest runs every test in a bubble with its own clock. It is for sources that
	// need no network.
	Synctest bool
}

// Place is a source and the place that it follows.
type Place struct {
	Source source.Source
	// Write replaces the sections, and returns after the source has read them.
	Write func(sections map[string]string)
	// Remove removes the place, and returns after the source has noticed.
	Remove func()
	// KeepsRemoved is set if the last content stays in force after a removal.
	KeepsRemoved bool
	// Await returns after the source has read the initial content.
	Await func()
}

// Run runs the suite.
func Run(t *testing.T, suite Suite) {
	for name, test := range map[string]func(*testing.T, Suite){
		"before reading":    testBefore,
		"edits":             testEdits,
		"an empty place":    testEmpty,
		"broken sections":   testBroken,
		"removal":           testRemoval,
		"concurrent reads":  testConcurrently,
		"ends with context": testEnds,
	} {
		t.Run(name, func(t *testing.T) {
			if suite.Synctest {
				synctest.Test(t, func(t *testing.T) { test(t, suite) })
			} else {
				test(t, suite)
			}
		})
	}
}

// sections returns sections that map bob to a username, and alice to her name.
func sections(bob string) map[string]string {
	return map[string]string{
		"mapUsers": fmt.Sprintf("- userarn: arn:aws:iam::%s:user/bob\n  username: %s\n", mappertest.Account, bob),
		"mapRoles": fmt.Sprintf("- rolearn: arn:aws:iam::%s:role/alice\n  username: alice\n", mappertest.Account),
	}
}

// Follow runs a source until the test ends.
func Follow(t *testing.T, s source.Source) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
}

func start(t *testing.T, suite Suite, sections map[string]string) Place {
	t.Helper()
	place := suite.Make(t, sections)
	Follow(t, place.Source)
	place.Await()
	return place
}

// Username returns the username of bob, a user, or of the role alice in the
// source's table; empty without a mapping.
func Username(t *testing.T, s source.Source, name string) string {
	t.Helper()
	principal := mappertest.User(t, mappertest.Account, name)
	if name == "alice" {
		principal = mappertest.Role(t, name, "session")
	}
	table := func() *mapper.Table { return s.Current().Table }
	match, _, err := mapper.Entries(table, nil).Map(t.Context(), principal, nil)
	if err != nil {
		t.Errorf("mapping %s: %v", name, err)
	}
	return match.Username
}

func expect(t *testing.T, s source.Source, bob, alice string) {
	t.Helper()
	if got := Username(t, s, "bob"); got != bob {
		t.Errorf("bob is %q, want %q", got, bob)
	}
	if got := Username(t, s, "alice"); got != alice {
		t.Errorf("alice is %q, want %q", got, alice)
	}
}

func testBefore(t *testing.T, suite Suite) {
	if suite.Unread == nil {
		t.Skip("the source requires a readable place")
	}
	s := suite.Unread(t)
	if current := s.Current(); current.Table != nil || len(current.Problems) > 0 {
		t.Errorf("%+v is in force before the place is read", current)
	}
	Follow(t, s)
	if s.Current().Table != nil {
		t.Error("a table is in force before the place is read")
	}
}

func testEdits(t *testing.T, suite Suite) {
	place := start(t, suite, sections("first"))
	if place.Source.Name() == "" {
		t.Error("the source has no name")
	}
	expect(t, place.Source, "first", "alice")
	if problems := place.Source.Current().Problems; slices.ContainsFunc(problems, isError) {
		t.Errorf("problems: %v", problems)
	}
	place.Write(sections("second"))
	expect(t, place.Source, "second", "alice")
	place.Write(map[string]string{"mapUsers": sections("third")["mapUsers"]})
	expect(t, place.Source, "third", "") // a removed section is revoked
	place.Write(sections("first"))
	expect(t, place.Source, "first", "alice")
}

func testEmpty(t *testing.T, suite Suite) {
	place := start(t, suite, nil)
	if place.Source.Current().Table == nil {
		t.Fatal("no table is in force for an empty place")
	}
	expect(t, place.Source, "", "")
	place.Write(sections("bob"))
	expect(t, place.Source, "bob", "alice")
}

func testBroken(t *testing.T, suite Suite) {
	if suite.Objects {
		t.Skip("the source has no sections")
	}
	place := start(t, suite, sections("first"))
	broken := sections("second")
	broken["mapUsers"] = "- userarn: [\n"
	var since time.Time
	for range 2 { // kept content is kept again
		place.Write(broken)
		kept := place.Source.Current().KeptSince
		if kept.IsZero() || !since.IsZero() && !kept.Equal(since) {
			t.Errorf("the content is kept since %s, which was %s", kept, since)
		}
		since = kept
		expect(t, place.Source, "first", "alice")
		if problems := place.Source.Current().Problems; !slices.ContainsFunc(problems, isError) {
			t.Errorf("problems: %v, want an error", problems)
		}
		if lost := place.Source.Current().Lost; len(lost) > 0 {
			t.Errorf("lost are %q, although their content is kept", lost)
		}
		broken["mapUsers"] += "# still\n"
	}
	place.Write(sections("third"))
	expect(t, place.Source, "third", "alice")
	if problems := place.Source.Current().Problems; slices.ContainsFunc(problems, isError) {
		t.Errorf("problems after the correction: %v", problems)
	}
	if kept := place.Source.Current().KeptSince; !kept.IsZero() {
		t.Errorf("the content is kept since %s after the correction", kept)
	}
}

func isError(p mapper.Problem) bool { return p.Severity == mapper.Error }

func testRemoval(t *testing.T, suite Suite) {
	place := start(t, suite, sections("first"))
	place.Remove()
	if place.KeepsRemoved {
		expect(t, place.Source, "first", "alice")
		if problems := place.Source.Current().Problems; !slices.ContainsFunc(problems, isError) {
			t.Errorf("problems: %v, want an error", problems)
		}
	} else {
		expect(t, place.Source, "", "")
		if place.Source.Current().Table == nil {
			t.Error("no table is in force after the place is gone")
		}
	}
	broken := sections("second")
	broken["mapUsers"] = "- userarn: [\n"
	if suite.Objects {
		delete(broken, "mapUsers")
	}
	if place.Write(broken); !place.KeepsRemoved {
		if got := Username(t, place.Source, "bob"); got != "" { // a new place inherits nothing
			t.Errorf("bob is %q in a new place", got)
		}
		current := place.Source.Current()
		if isUnreadable := slices.ContainsFunc(current.Problems, func(p mapper.Problem) bool { return p.Code == source.Unreadable }); !suite.Objects && !isUnreadable && !slices.Equal(current.Lost, []string{"mapUsers"}) {
			t.Errorf("lost are %q, want mapUsers", current.Lost)
		}
		if kept := current.KeptSince; !kept.IsZero() {
			t.Errorf("a new place has kept its content since %s", kept)
		}
	}
	place.Write(sections("third"))
	expect(t, place.Source, "third", "alice")
}

// testConcurrently checks that lookups during edits see either the old or the new
// version.
func testConcurrently(t *testing.T, suite Suite) {
	place := start(t, suite, sections("first"))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			tick := time.NewTicker(time.Millisecond) // lets the clock of a bubble advance
			defer tick.Stop()
			for {
				if got := Username(t, place.Source, "bob"); got != "first" && got != "second" {
					t.Errorf("bob is %q", got)
				}
				_ = len(place.Source.Current().Problems)
				select {
				case <-stop:
					return
				case <-tick.C:
				}
			}
		})
	}
	for range 3 {
		place.Write(sections("second"))
		place.Write(sections("first"))
	}
	close(stop)
	readers.Wait()
}

// testEnds checks that Run returns when its context ends. A bubble or the source's
// TestMain fails if a goroutine is left.
func testEnds(t *testing.T, suite Suite) {
	place := suite.Make(t, sections("first"))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		place.Source.Run(ctx)
		close(ended)
	}()
	place.Await()
	stop()
	<-ended
	expect(t, place.Source, "first", "alice") // requests in flight still need it
}
