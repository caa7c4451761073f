package backendmode

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/file"
)

// retryPeriod is how long to wait after a switch that failed.
const retryPeriod = 10 * time.Second

// Config is the configuration of [New]. Path, Default and Check must be set.
type Config struct {
	// Path is the path of the file.
	Path string
	// Default are the backends while the file does not exist.
	Default []string
	// Check returns an error for backends that the cluster cannot have.
	Check func(backends []string) error
	// Updated is called with the LastUpdatedDateTime of each version in force but the
	// first, which may be old. Nil means never.
	Updated func(lastUpdated string)
	// Failed is called for each version that cannot be used, and for each switch that
	// fails. Nil means never.
	Failed func()
	// Log gets a line for each version. Nil discards it.
	Log *slog.Logger
	// Watch reports changes of the file. Nil uses the operating system's notifications.
	Watch file.Watch
}

// File follows a file with the backend mode.
type File struct {
	config Config
	parsed *file.Parsed[Mode]
	// err is why the file could not be used when the server started; Run logs it.
	err error
	// changed has a value if wanted changed.
	changed chan struct{}

	mu     sync.Mutex
	wanted Mode
	// known is set once a version of the file was in force.
	known bool
}

// New returns what follows a file, and reads it: [File.Backends] returns the backends to
// start with. As with aws-iam-authenticator, the default backends are in force while the
// file does not exist, and one that is invalid changes nothing.
func New(ctx context.Context, config Config) *File {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Failed == nil {
		config.Failed = func() {}
	}
	if config.Updated == nil {
		config.Updated = func(string) {}
	}
	f := &File{config: config, changed: make(chan struct{}, 1), wanted: defaultMode(config)}
	f.parsed, f.err = file.NewParsed(ctx, file.ParsedConfig[Mode]{
		Path: config.Path, Limit: file.MaxSettings, Parse: f.parse, Use: f.want, Fail: f.fail, Missing: f.missing, Watch: config.Watch, Log: config.Log,
	})
	return f
}

func defaultMode(config Config) Mode { return Mode{Backends: strings.Join(config.Default, " ")} }

// Backends returns the names of the backends in the file, or else the default ones.
func (f *File) Backends() []string { return f.mode().Names() }

// Err reports whether the file was read when the server started, and returns why it
// cannot be used if it exists.
func (f *File) Err() (isRead bool, err error) {
	if errors.Is(f.err, fs.ErrNotExist) {
		return false, nil
	}
	return f.err == nil, f.err
}

func (f *File) mode() Mode {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wanted
}

// Reread makes Run read the file again soon.
func (f *File) Reread() { f.parsed.Reread() }

// Name returns the name of what a SIGHUP rereads.
func (f *File) Name() string { return "backend mode" }

// Run follows the file until ctx is done. It calls use when the backends change: use
// returns an error if they cannot be put in force, and is then called again.
func (f *File) Run(ctx context.Context, use func(ctx context.Context, backends []string) error) {
	var following sync.WaitGroup
	following.Go(func() { f.parsed.Run(ctx) })
	defer following.Wait()
	inForce := f.mode()
	var retry <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.changed:
		case <-retry:
		}
		retry = nil
		mode := f.mode()
		if !slices.Equal(mode.Names(), inForce.Names()) {
			if err := use(ctx, mode.Names()); err != nil {
				if ctx.Err() != nil {
					return
				}
				f.config.Failed()
				f.config.Log.Error("switching the backend mode failed: the present mode stays, and the server tries again", "file", f.config.Path,
					"mode", mode.Backends, "present", inForce.Backends, "after", retryPeriod, "error", err)
				retry = time.After(retryPeriod)
				continue
			}
		}
		inForce = mode
		f.observe(mode)
	}
}

// observe reports a mode that is in force.
func (f *File) observe(mode Mode) {
	f.config.Log.Info("the backend mode is in force", "file", f.config.Path, "mode", mode.Backends, "version", mode.Version)
	f.mu.Lock()
	known := f.known
	f.known = known || mode.LastUpdated != ""
	f.mu.Unlock()
	if known && mode.LastUpdated != "" {
		f.config.Updated(mode.LastUpdated)
	}
}

func (f *File) parse(content []byte) (Mode, error) {
	mode, err := Parse(content)
	if err == nil {
		err = f.config.Check(mode.Names())
	}
	return mode, err
}

// want asks for a mode.
func (f *File) want(mode Mode) {
	f.mu.Lock()
	f.wanted = mode
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *File) fail(err error) {
	f.config.Failed()
	f.config.Log.Error("the file of the backend mode cannot be used: the present mode stays", "file", f.config.Path, "present", f.mode().Backends, "error", err)
}

func (f *File) missing() {
	f.config.Log.Warn("the file of the backend mode does not exist: the mode of --backend-mode applies", "file", f.config.Path, "mode", strings.Join(f.config.Default, " "))
	f.want(defaultMode(f.config))
}
