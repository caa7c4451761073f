// Package source is where mappings come from: each package below it follows one
// kind of place, and offers what it read there as an immutable table, with the
// problems it found. The suite in sourcetest holds what all of them do.
package source

import (
	"context"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A Source follows the place where mappings are kept. It is safe for concurrent
// use.
type Source interface {
	// Name is the source's name in rules, logs and metrics.
	Name() string
	// Run follows the place until ctx is done. It is called once.
	Run(ctx context.Context)
	// Current returns what is in force now.
	Current() Snapshot
}

// A Rereader is a source that can be asked to read its place again soon, changed
// or not. It does so while it runs.
type Rereader interface {
	Source
	Reread()
}

// Unreadable is the code of the problem that a place cannot be read as a whole:
// its last good content stays in force.
const Unreadable mapper.Code = "Unreadable"

// Snapshot is what one reading of a source put in force.
type Snapshot struct {
	// Table of the mappings. Nil means that the source was not read yet.
	Table *mapper.Table
	// Problems found, in the order of their places.
	Problems []mapper.Problem
}

// InForce holds the snapshot that is in force and swaps it as a whole: a lookup
// takes no lock, and sees one table or the other. Sources embed it. The zero
// value holds none.
type InForce struct{ snapshot atomic.Pointer[Snapshot] }

// Current returns the snapshot in force.
func (f *InForce) Current() Snapshot {
	if snapshot := f.snapshot.Load(); snapshot != nil {
		return *snapshot
	}
	return Snapshot{}
}

// Keep reports that the place cannot be read now. The table in force stays.
func (f *InForce) Keep(message, effect, fix string) {
	last := f.Current()
	problems := slices.DeleteFunc(slices.Clone(last.Problems), func(p mapper.Problem) bool { return p.Code == Unreadable })
	problem := mapper.Problem{Code: Unreadable, Severity: mapper.Error, Message: message, Effect: effect, Fix: fix}
	f.Swap(Snapshot{Table: last.Table, Problems: append([]mapper.Problem{problem}, problems...)})
}

// Swap puts a snapshot in force.
func (f *InForce) Swap(s Snapshot) {
	f.snapshot.Store(&s)
	// Reading makes many times the garbage that the table holds, and then nothing
	// for a long time: the operating system gets it back at once.
	debug.FreeOSMemory()
}

// Init puts a snapshot in force unless there is one already, and reports whether
// it did.
func (f *InForce) Init(s Snapshot) bool { return f.snapshot.CompareAndSwap(nil, &s) }
