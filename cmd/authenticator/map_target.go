package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// A mapTarget is where mappings are edited: a cluster or a file.
type mapTarget interface {
	// name names the target in messages.
	name() string
	read(ctx context.Context) (edit.Document, error)
	// write replaces what was read. It returns errConflict if somebody else did. With
	// force it overrides the guard of the cluster.
	write(ctx context.Context, document edit.Document, force bool) error
	// prints reports whether write prints to standard output, where nothing else may go
	// then.
	prints() bool
	// done is what write did.
	done() editResult
	// version is the version of what was read or written last; empty for a file.
	version() string
	// parts returns the texts to show the difference of.
	parts(before, after edit.Document) []part
	// facts returns what the check of an edit has to know.
	facts(ctx context.Context, delta mapper.Delta) lockout.Facts
}

// A part is a text before and after an edit.
type part struct{ name, before, after string }

var errConflict = errors.New("somebody else edited the mappings at the same time")

// printf prints to a stream.
func (p *program) printf(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
