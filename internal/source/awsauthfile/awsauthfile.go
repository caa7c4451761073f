// Package awsauthfile is the source that follows a file with the manifest or the data
// of an aws-auth ConfigMap.
package awsauthfile

import (
	"context"
	"errors"
	"fmt"
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
	// source.
	Options awsauth.Options
	// Log gets the problems of the file. Nil discards them.
	Log *slog.Logger
	// Watch reports changes of the file. Nil uses the operating system's notifications.
	Watch file.Watch
}

// File follows a file of mappings.
type File struct {
	source.InForce
	*file.Parsed[*awsauth.Result]
	config Config
	// last is the last good reading. Nil means that the file is gone.
	last *awsauth.Result
	// broken are the sections that do not parse.
	broken source.Broken
}

// New returns a source that follows a file. The file must exist and parse. During
// [File.Run], a version that does not parse or is empty leaves the last good one in
// force, and removing the file revokes everything that it granted.
func New(ctx context.Context, config Config) (*File, error) {
	if config.Path == "" {
		return nil, errors.New("following a file of mappings: the path is missing")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	f := &File{config: config}
	var err error
	f.Parsed, err = file.NewParsed(ctx, file.ParsedConfig[*awsauth.Result]{
		Path: config.Path, Limit: file.MaxMappings, Parse: f.parse, Use: f.use, Fail: f.fail, Missing: f.revoke, Watch: config.Watch, Log: config.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("reading mappings: %w", err)
	}
	return f, nil
}

// Name returns the name of the source in rules.
func (f *File) Name() string { return f.config.Options.Source }

func (f *File) parse(content []byte) (*awsauth.Result, error) {
	result, err := awsauth.ParseFile(content, f.last, f.config.Options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.config.Path, err)
	}
	return result, nil
}

func (f *File) use(result *awsauth.Result) {
	f.last, f.broken = result, f.broken.Next(result.Broken(), time.Now())
	f.Swap(source.Snapshot{Table: result.Table, Problems: result.Problems, Lost: result.Lost(), KeptSince: f.broken.Oldest(result.Kept)})
	f.config.Log.Info("read the file of mappings", "file", f.config.Path, "problems", len(result.Problems))
	for _, problem := range result.Problems {
		problem.Log(f.config.Log, "problem in "+f.config.Path)
	}
}

func (f *File) fail(err error) {
	f.broken = f.broken.Next(awsauth.Sections(), time.Now())
	effect := "its last good content stays in force until the server restarts"
	if f.last == nil {
		effect = "it maps nobody until it is correct"
	}
	f.config.Log.Error("the file of mappings cannot be read: "+effect, "file", f.config.Path, "error", err)
	f.Keep(f.last != nil, err.Error(), effect, "correct the file, or remove it to map nobody")
}

// revoke revokes everything that the file granted.
func (f *File) revoke() {
	f.last, f.broken = nil, nil
	f.Swap(source.Snapshot{Table: mapper.NewTable(nil, nil, f.config.Options.RolePaths)})
	f.config.Log.Warn("the file of mappings was removed: it no longer maps anybody", "file", f.config.Path)
}

var _ source.Rereader = (*File)(nil)
