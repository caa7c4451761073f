package mapedit

import (
	"context"
	"errors"

	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// A Target is where mappings are edited: a cluster or a file.
type Target interface {
	// Name names the target in messages.
	Name() string
	// Read returns the mappings.
	Read(ctx context.Context) (edit.Document, error)
	// Parse returns the mappings in force before an edit of what was read, and after it.
	Parse(ctx context.Context, before, after edit.Document, options awsauth.Options) (from, to *awsauth.Result, err error)
	// Write replaces what was read. It returns ErrConflict if somebody else did. With
	// force it overrides the guard of the cluster.
	Write(ctx context.Context, document edit.Document, force bool) error
	// Prints reports whether write prints to standard output, where nothing else may go
	// then.
	Prints() bool
	// Done is what write did.
	Done() Result
	// Version is the version of what was read or written last; empty for a file.
	Version() string
	// Parts returns the texts to show the difference of.
	Parts(before, after edit.Document) []Part
	// Facts returns what the check of an edit has to know.
	Facts(ctx context.Context, delta mapper.Delta) lockout.Facts
}

// A Part is a text before and after an edit.
type Part struct{ name, before, after string }

// ErrConflict is the error of a write that came after somebody else's.
var ErrConflict = errors.New("somebody else edited the mappings at the same time")
