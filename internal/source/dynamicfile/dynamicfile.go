// Package dynamicfile is the source that follows aws-iam-authenticator's DynamicFile:
// JSON with mapRoles, mapUsers and mapAccounts, in which the control plane of EKS writes
// access entries.
package dynamicfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Config is the configuration of [New]. Path must be set.
type Config struct {
	// Path is the path of the file.
	Path string
	// Options are the options for reading the file. Options.Source is the name of this
	// source. Options.UserIDs looks entries up by their userid.
	Options awsauth.Options
	// Updated is called with the LastUpdatedDateTime of each version but the first,
	// which may be old. Nil means never.
	Updated func(lastUpdated string)
	// Failed is called for each version that cannot be read. Nil means never.
	Failed func()
	// Log gets the problems of the file. Nil discards them.
	Log *slog.Logger
	// Watch reports changes of the file. Nil uses the operating system's notifications.
	Watch file.Watch
}

// File follows a DynamicFile.
type File struct {
	source.InForce
	*file.Parsed[*Content]
	config Config
	// last is the last good version. Nil means that the file is gone.
	last *Content
	// broken are the sections that do not parse.
	broken source.Broken
	// known is set once a version was read.
	known bool
}

// New returns a source that follows a file. As with aws-iam-authenticator, a file that
// does not exist maps nobody until it does, and removing it revokes everything that it
// granted. A version that does not parse or is empty leaves the last good one in force;
// if there is none, the source is not read yet.
func New(ctx context.Context, config Config) (*File, error) {
	if config.Path == "" {
		return nil, errors.New("following a DynamicFile: the path is missing")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	f := &File{config: config}
	var err error
	f.Parsed, err = file.NewParsed(ctx, file.ParsedConfig[*Content]{
		Path: config.Path, Limit: file.MaxMappings, Parse: f.parse, Use: f.use, Fail: f.fail, Missing: f.revoke, Watch: config.Watch, Log: config.Log,
	})
	switch { // Run logs it
	case errors.Is(err, fs.ErrNotExist):
		f.clear()
	case err != nil:
		f.keep(err)
	}
	return f, nil
}

// Name returns the name of the source in rules.
func (f *File) Name() string { return f.config.Options.Source }

func (f *File) parse(content []byte) (*Content, error) {
	parsed, err := Parse(content, f.last, f.config.Options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.config.Path, err)
	}
	return parsed, nil
}

func (f *File) use(content *Content) {
	if f.known && f.config.Updated != nil {
		f.config.Updated(content.LastUpdated)
	}
	result := content.Mappings
	f.last, f.known, f.broken = content, true, f.broken.Next(result.Broken(), time.Now())
	f.Swap(source.Snapshot{Table: result.Table, Problems: result.Problems, Lost: result.Lost(), KeptSince: f.broken.Oldest(result.Kept)})
	f.config.Log.Info("read the DynamicFile", "file", f.config.Path, "version", content.Version, "problems", len(result.Problems))
	for _, problem := range result.Problems {
		problem.Log(f.config.Log, "problem in "+f.config.Path)
	}
}

func (f *File) fail(err error) {
	if f.config.Failed != nil {
		f.config.Failed()
	}
	f.config.Log.Error("the DynamicFile cannot be read: "+f.effect(), "file", f.config.Path, "error", err)
	f.keep(err)
}

func (f *File) keep(err error) {
	f.broken = f.broken.Next(awsauth.Sections(), time.Now())
	f.Keep(f.last != nil, err.Error(), f.effect(), "correct the file, or remove it to map nobody")
}

// effect returns the effect of a version that cannot be read.
func (f *File) effect() string {
	switch {
	case f.Current().Table == nil:
		return "the server is not ready until the file is correct, or removed"
	case f.last == nil:
		return "it maps nobody until it is correct"
	}
	return "its last good content stays in force until the server restarts"
}

// revoke revokes everything that the file granted.
func (f *File) revoke() {
	f.clear()
	f.config.Log.Warn("the DynamicFile does not exist: it maps nobody", "file", f.config.Path)
}

func (f *File) clear() {
	f.last, f.broken = nil, nil
	f.Swap(source.Snapshot{
		Table: mapper.NewTable(nil, nil, f.config.Options.RolePaths),
		Problems: []mapper.Problem{{
			Code: source.Unreadable, Severity: mapper.Warning, Message: f.config.Path + " does not exist", Effect: "it maps nobody", Fix: "write the file",
		}},
	})
}

var _ source.Rereader = (*File)(nil)
