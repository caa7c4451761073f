// Package mountedfile is the source that follows the mappings in the server's own
// configuration file: mapRoles, mapUsers and mapAccounts in its key server.
package mountedfile

import (
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

// Config is the configuration of [New]. Name and Parse must be set.
type Config struct {
	// Name is the name of the source in rules.
	Name string
	// Path is the path of the configuration file. If it is empty, there is no file and
	// the source maps nobody.
	Path string
	// Parse parses the content of the file.
	Parse func(content []byte) (Parsed, error)
	// Started is the rest of the file with which the server started.
	Started map[string]string
	// Log gets the problems of the file. Nil discards them.
	Log *slog.Logger
	// Watch reports changes of the file. Nil uses the operating system's notifications.
	Watch file.Watch
}

// Parsed is a parsed configuration file.
type Parsed struct {
	// Mappings are the mappings in the file.
	Mappings *awsauth.Result
	// Rest has all other values, by key. They take effect only when the server
	// restarts.
	Rest map[string]string
	// Warnings are about the file. Those that the server started with are not logged.
	Warnings []string
}

// File follows the mappings of the configuration file.
type File struct {
	source.InForce
	// parsed is nil if there is no file.
	parsed *file.Parsed[Parsed]
	config Config
	// rest has all other values of the last good file.
	rest     map[string]string
	warnings []string
}

// New returns a source that follows the configuration file, which must be valid. During
// [File.Run], a version that is missing or would keep the server from starting leaves
// the last good mappings in force.
func New(ctx context.Context, config Config) (*File, error) {
	if config.Name == "" || config.Parse == nil {
		return nil, errors.New("following the configuration file: the name or the parser is missing")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	f := &File{config: config, rest: config.Started}
	if config.Path == "" {
		parsed, err := f.parse(nil)
		if err != nil {
			return nil, err
		}
		f.Swap(source.Snapshot{Table: parsed.Mappings.Table, Problems: parsed.Mappings.Problems})
		return f, nil
	}
	var err error
	f.parsed, err = file.NewParsed(ctx, file.ParsedConfig[Parsed]{
		Path: config.Path, Limit: file.MaxMappings, Parse: f.parse, Use: f.use, Fail: f.fail, Watch: config.Watch, Log: config.Log,
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Name returns the name of the source in rules.
func (f *File) Name() string { return f.config.Name }

// Reread makes the source read the file again soon.
func (f *File) Reread() {
	if f.parsed != nil {
		f.parsed.Reread()
	}
}

// Run follows the file until ctx is done.
func (f *File) Run(ctx context.Context) {
	if f.parsed == nil {
		<-ctx.Done()
		return
	}
	f.parsed.Run(ctx)
}

func (f *File) fail(err error) {
	effect := "its last good mappings stay in force, and a restart would fail"
	if errors.Is(err, file.ErrEmpty) {
		effect = "its last good mappings stay in force, and a restart would map nobody"
	}
	f.config.Log.Error("the configuration file is invalid: "+effect, "file", f.config.Path, "error", err)
	f.Keep(true, err.Error(), effect, "correct the file")
}

// differences returns the keys with different values.
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
		if Stops(problem.Code) {
			problem.Effect = "" // here the whole file is rejected
			errs = append(errs, errors.New(problem.String()))
		}
	}
	switch unlisted := slices.IndexFunc(stopping(), parsed.Mappings.Found); {
	case len(errs) > 1:
		return Parsed{}, fmt.Errorf("%w; and %d more like it", errs[0], len(errs)-1)
	case len(errs) > 0:
		return Parsed{}, errs[0]
	case unlisted >= 0:
		return Parsed{}, fmt.Errorf("there is a problem %s among those that are not listed; the first problem is %s", stopping()[unlisted], parsed.Mappings.Problems[0])
	}
	return parsed, nil
}

// Stops reports whether a problem with a code keeps the server from starting.
func Stops(code mapper.Code) bool { return slices.Contains(stopping(), code) }

// stopping returns the problems that keep the server from starting, as they do
// aws-iam-authenticator.
func stopping() []mapper.Code {
	return []mapper.Code{mapper.SectionSyntax, mapper.SectionNotList, mapper.SectionTooLarge, mapper.EntryInvalidARN, mapper.EntryNoARN}
}

func (f *File) use(parsed Parsed) {
	mappings, first := parsed.Mappings, f.Current().Table == nil
	f.Swap(source.Snapshot{Table: mappings.Table, Problems: mappings.Problems})
	if !maps.Equal(parsed.Rest, f.rest) {
		f.rest = parsed.Rest
		if keys := differences(f.config.Started, f.rest); len(keys) > 0 {
			f.config.Log.Warn("keys of the configuration file changed that take effect only after a restart", "file", f.config.Path, "keys", keys)
		}
	}
	for _, warning := range parsed.Warnings {
		if !first && !slices.Contains(f.warnings, warning) {
			f.config.Log.Warn("part of the configuration file has no effect", "file", f.config.Path, "warning", warning)
		}
	}
	f.warnings = parsed.Warnings
	f.config.Log.Info("read the mappings of the configuration file", "file", f.config.Path, "problems", len(mappings.Problems))
	for _, problem := range mappings.Problems {
		problem.Log(f.config.Log, "problem in "+f.config.Path)
	}
}

var _ source.Rereader = (*File)(nil)
