// Package mountedfile is the source of the mappings in the server's own
// configuration file: mapRoles, mapUsers and mapAccounts under its key server.
package mountedfile

import (
	"context"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// File is the source.
type File struct {
	source.InForce
	name string
}

// New makes a source of what was read from the configuration file. Name is the
// name that rules give as their source.
func New(name string, read *awsauth.Result) *File {
	f := &File{name: name}
	f.Swap(source.Snapshot{Table: read.Table, Problems: read.Problems})
	return f
}

// Name is the name that rules give as their source.
func (f *File) Name() string { return f.name }

// Run waits until ctx is done.
func (f *File) Run(ctx context.Context) { <-ctx.Done() }

var _ source.Source = (*File)(nil)
