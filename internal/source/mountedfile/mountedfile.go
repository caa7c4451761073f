// Package mountedfile is the source of the mappings in the server's own
// configuration file: mapRoles, mapUsers and mapAccounts under its key server.
package mountedfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Config of [New]. Name and Parse must be set.
type Config struct {
	// Name of the source in rules.
	Name string
	// Path of the configuration file. Empty means that there is none, and nobody
	// is mapped.
	Path string
	// Parse reads a content of the file.
	Parse func(content []byte) (Parsed, error)
	// Started is the rest of the file, as the server started with it.
	Started map[string]string
	// Log of what is wrong with the file. Nil means nowhere.
	Log *slog.Logger
	// Watch reports changes of the file. Nil means that of the operating system.
	Watch file.Watch
}

// Parsed is a configuration file.
type Parsed struct {
	// Mappings in it.
	Mappings *awsauth.Result
	// Rest is all else in it, by key, which acts only once the server restarts.
	Rest map[string]string
	// Warnings about the file. Those that the server started with are not logged.
	Warnings []string
}

// File follows the mappings of the configuration file.
type File struct {
	source.InForce
	config   Config
	follower *file.Follower
	// rest is all else in the file as it was read last.
	rest     map[string]string
	warnings []string
}

// New reads the configuration file, which must be good. From [File.Run] on the
// mappings in a version that is not, or in none, are those of the last good one:
// the server would not start with it.
func New(ctx context.Context, config Config) (*File, error) {
	if config.Name == "" || config.Parse == nil {
		return nil, errors.New("following the configuration file: its name or parser is not given")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	var content []byte
	if config.Path != "" {
		var err error
		if content, err = file.Read(ctx, config.Path, file.MaxMappings); err != nil {
			return nil, err
		}
	}
	f := &File{config: config, rest: config.Started}
	parsed, err := f.parse(content)
	if err != nil {
		return nil, err
	}
	f.warnings = parsed.Warnings
	f.use(parsed)
	f.follower = file.Follow(file.Config{
		Path: config.Path, Limit: file.MaxMappings, Content: content, Watch: config.Watch, Log: config.Log,
		Whole: func(content []byte) bool { _, err := f.parse(content); return err == nil && !isEmpty(content) },
	})
	return f, nil
}

// Name is the name that rules give as their source.
func (f *File) Name() string { return f.config.Name }

// Reread has the file read again soon.
func (f *File) Reread() { f.follower.Reread() }

// Run follows the file until ctx is done.
func (f *File) Run(ctx context.Context) {
	if f.config.Path == "" {
		<-ctx.Done()
		return
	}
	f.follower.Run(ctx, f.changed)
}

func (f *File) changed(content []byte, err error) {
	effect := "its last good mappings stay in force, and a restart would fail"
	var parsed Parsed
	if err == nil {
		parsed, err = f.parse(content)
	}
	// An empty file is what a shell leaves of it before the command that writes
	// it has ended, or a full disk.
	if err == nil && isEmpty(content) {
		err, effect = errors.New("the file is empty"), "its last good mappings stay in force, and a restart would map nobody"
	}
	if err != nil {
		f.config.Log.Error("the configuration file is not usable: "+effect, "file", f.config.Path, "error", err)
		f.Keep(err.Error(), effect, "correct the file")
		return
	}
	f.use(parsed)
}

// differences are the keys whose values differ.
func differences(a, b map[string]string) []string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(key string) bool {
		before, had := a[key]
		after, has := b[key]
		return had == has && before == after
	})
}

func (f *File) parse(content []byte) (Parsed, error) {
	parsed, err := f.config.Parse(content)
	if err != nil {
		return Parsed{}, err
	}
	var errs []error
	for _, problem := range parsed.Mappings.Problems {
		if slices.Contains(stopping(), problem.Code) {
			problem.Effect = "" // here it costs the whole file
			errs = append(errs, errors.New(problem.String()))
		}
	}
	switch unlisted := slices.IndexFunc(stopping(), parsed.Mappings.Found); {
	case len(errs) > 1:
		return Parsed{}, fmt.Errorf("%w; and %d more like it", errs[0], len(errs)-1)
	case len(errs) > 0:
		return Parsed{}, errs[0]
	case unlisted >= 0:
		return Parsed{}, fmt.Errorf("%s is among more problems than are listed; the first is %s", stopping()[unlisted], parsed.Mappings.Problems[0])
	}
	return parsed, nil
}

// stopping are the problems that stop the server's start, as they stop that of
// aws-iam-authenticator.
func stopping() []mapper.Code {
	return []mapper.Code{mapper.SectionSyntax, mapper.SectionNotList, mapper.SectionTooLarge, mapper.EntryInvalidARN, mapper.EntryNoARN}
}

func (f *File) use(parsed Parsed) {
	mappings := parsed.Mappings
	f.Swap(source.Snapshot{Table: mappings.Table, Problems: mappings.Problems})
	if f.config.Path == "" {
		return
	}
	if !maps.Equal(parsed.Rest, f.rest) {
		f.rest = parsed.Rest
		if keys := differences(f.config.Started, f.rest); len(keys) > 0 {
			f.config.Log.Warn("keys of the configuration file changed that need a restart to act", "file", f.config.Path, "keys", keys)
		}
	}
	for _, warning := range parsed.Warnings {
		if !slices.Contains(f.warnings, warning) {
			f.config.Log.Warn("the configuration file has no effect in part", "file", f.config.Path, "warning", warning)
		}
	}
	f.warnings = parsed.Warnings
	f.config.Log.Info("read the mappings of the configuration file", "file", f.config.Path, "problems", len(mappings.Problems))
	for _, problem := range mappings.Problems {
		problem.Log(f.config.Log, "problem in "+f.config.Path)
	}
}

func isEmpty(content []byte) bool { return len(bytes.TrimSpace(content)) == 0 }

var _ source.Rereader = (*File)(nil)
