// Package sourcetest is the conformance suite of sources: however one follows its
// place, it treats edits, mistakes and removal as the others do. What a source
// makes of the mappings that it read is the suite in pkg/mapper/mappertest.
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

// Suite says how the suite makes a source.
type Suite struct {
	// Make makes a source of a place that holds sections, as those of aws-auth.
	// Its Run is not called yet.
	Make func(t *testing.T, sections map[string]string) Place
	// Unread makes a source whose place cannot be read yet. Nil is for a source
	// that cannot be made then.
	Unread func(t *testing.T) source.Source
	// Synctest has every test run in a bubble with its own clock. It is for
	// sources that need no network.
	Synctest bool
}

// Place is a source and what it follows.
type Place struct {
	Source source.Source
	// Write puts other sections there, and returns once the source has read them.
	Write func(sections map[string]string)
	// Remove removes the place, and returns once the source has seen it.
	Remove func()
	// KeepsRemoved says that the source's last content stays in force then.
	KeepsRemoved bool
	// Await returns once the source has read what was there when Run began.
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

// sections that map bob to a username, and alice to her name.
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
		t.Skip("such a source cannot be made before its place is readable")
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
	expect(t, place.Source, "third", "") // what is not there any more is revoked
	place.Write(sections("first"))
	expect(t, place.Source, "first", "alice")
}

func testEmpty(t *testing.T, suite Suite) {
	place := start(t, suite, nil)
	if place.Source.Current().Table == nil {
		t.Fatal("an empty place is not read")
	}
	expect(t, place.Source, "", "")
	place.Write(sections("bob"))
	expect(t, place.Source, "bob", "alice")
}

func testBroken(t *testing.T, suite Suite) {
	place := start(t, suite, sections("first"))
	broken := sections("second")
	broken["mapUsers"] = "- userarn: [\n"
	for range 2 { // what is kept once is kept again
		place.Write(broken)
		expect(t, place.Source, "first", "alice")
		if problems := place.Source.Current().Problems; !slices.ContainsFunc(problems, isError) {
			t.Errorf("problems: %v, want an error", problems)
		}
		broken["mapUsers"] += "# still\n"
	}
	place.Write(sections("third"))
	expect(t, place.Source, "third", "alice")
	if problems := place.Source.Current().Problems; slices.ContainsFunc(problems, isError) {
		t.Errorf("problems after the correction: %v", problems)
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
			t.Error("a place that is gone counts as not read")
		}
	}
	broken := sections("second")
	broken["mapUsers"] = "- userarn: [\n"
	if place.Write(broken); !place.KeepsRemoved {
		if got := Username(t, place.Source, "bob"); got != "" { // it inherits nothing
			t.Errorf("bob is %q in a new place", got)
		}
	}
	place.Write(sections("third"))
	expect(t, place.Source, "third", "alice")
}

// testConcurrently reads while the place is edited: each reading is of one
// version or the other.
func testConcurrently(t *testing.T, suite Suite) {
	place := start(t, suite, sections("first"))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			tick := time.NewTicker(time.Millisecond) // lets the clock of a bubble go on
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

// testEnds is about goroutines too: a bubble, or the source's TestMain, fails if
// one is left.
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
	expect(t, place.Source, "first", "alice") // requests under way still need it
}
