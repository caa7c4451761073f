package source

import (
	"context"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Missing represents a source that cannot be created yet, since a file that it needs is
// missing or cannot be read. It is never read.
type Missing struct {
	InForce
	name  string
	again chan struct{}
}

// NewMissing returns what represents the source with a name until it can be created. Err
// is why it cannot.
func NewMissing(name string, err error) *Missing {
	m := &Missing{name: name, again: make(chan struct{}, 1)}
	m.Fail(err)
	return m
}

// Fail sets why the source cannot be created.
func (m *Missing) Fail(err error) {
	m.Swap(Snapshot{Problems: []mapper.Problem{{
		Code: Unreadable, Severity: mapper.Error, Message: err.Error(), Effect: "the cluster is not ready", Fix: "correct the file: the server tries again every 10 s, and at SIGHUP",
	}}})
}

// Name implements [Source].
func (m *Missing) Name() string { return m.name }

// Run implements [Source].
func (m *Missing) Run(ctx context.Context) { <-ctx.Done() }

// Reread implements [Rereader].
func (m *Missing) Reread() {
	select {
	case m.again <- struct{}{}:
	default: // it is asked for already
	}
}

// Again receives when somebody asks to try again at once.
func (m *Missing) Again() <-chan struct{} { return m.again }

var _ Rereader = (*Missing)(nil)
