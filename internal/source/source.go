// Package source defines a source of mappings. Each package below it follows one kind
// of place and provides the mappings there as an immutable table, with their problems.
// The suite in sourcetest checks what all sources have in common.
package source

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A Source follows a place that holds mappings. It is safe for concurrent use.
type Source interface {
	// Name returns the source's name in rules, logs and metrics.
	Name() string
	// Run follows the place until ctx is done. It is called once.
	Run(ctx context.Context)
	// Current returns the snapshot in force.
	Current() Snapshot
}

// A Rereader is a source that can reread its place even if it has not changed.
type Rereader interface {
	Source
	// Reread makes a running source read its place again soon.
	Reread()
}

// An UnmappedReporter is a source that shows its operator which identities of the
// cluster's accounts no mapping matches.
type UnmappedReporter interface {
	Source
	// Unmapped is called for every denial of such an identity. It does not wait.
	Unmapped(canonicalARN string)
}

// Unreadable is the code of the problem that a place cannot be read as a whole. Its
// last good content stays in force.
const Unreadable mapper.Code = "Unreadable"

// Snapshot is the result of one reading of a source.
type Snapshot struct {
	// Table holds the mappings. Nil means that the source has not been read yet.
	Table *mapper.Table
	// Problems are the problems found, in the order of their places.
	Problems []mapper.Problem
	// Lost are the sections that do not parse and whose last good content is not known:
	// nothing in them applies.
	Lost []string
	// KeptSince is since when a part of the table is not the current text, because that
	// cannot be read; zero if there is none.
	KeptSince time.Time
}

// InForce holds the snapshot in force and swaps it as a whole: a lookup takes no lock,
// and sees either the old or the new table. Sources embed it. The zero value holds no
// snapshot.
type InForce struct{ snapshot atomic.Pointer[Snapshot] }

// Current returns the snapshot in force.
func (f *InForce) Current() Snapshot {
	if snapshot := f.snapshot.Load(); snapshot != nil {
		return *snapshot
	}
	return Snapshot{}
}

// Keep adds the problem that the place cannot be read, and keeps the table in force. isGood
// reports whether the table is the last good content of the place.
func (f *InForce) Keep(isGood bool, message, effect, fix string) {
	last := f.Current()
	problems := slices.DeleteFunc(slices.Clone(last.Problems), func(p mapper.Problem) bool { return p.Code == Unreadable })
	problem := mapper.Problem{Code: Unreadable, Severity: mapper.Error, Message: message, Effect: effect, Fix: fix}
	last.Problems = append([]mapper.Problem{problem}, problems...)
	if isGood && last.KeptSince.IsZero() {
		last.KeptSince = time.Now()
	}
	f.Swap(last)
}

// Swap puts a snapshot in force.
func (f *InForce) Swap(s Snapshot) { f.snapshot.Store(&s) }

// Init puts a snapshot in force if there is none yet, and reports whether it did.
func (f *InForce) Init(s Snapshot) bool { return f.snapshot.CompareAndSwap(nil, &s) }
