package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
)

// ErrEmpty means that a later version of a file is empty.
var ErrEmpty = errors.New("the file is empty")

// ParsedConfig configures [NewParsed]. Path, Limit, Parse, Use and Fail must be set.
type ParsedConfig[T any] struct {
	// Path is the path of the file.
	Path string
	// Limit is the maximum size of the file, in bytes.
	Limit int64
	// Parse parses the content. It changes nothing, since some of what it parses is
	// never used.
	Parse func(content []byte) (T, error)
	// Use is called with each version of the file that parses.
	Use func(T)
	// Fail is called for each version that cannot be read, is empty, or does not parse.
	Fail func(error)
	// Missing is called if the file does not exist. Nil means that it is a failure.
	Missing func()
	// Watch reports changes. Nil means [Notify].
	Watch Watch
	// Log gets a line when watching fails. Nil discards it.
	Log *slog.Logger
}

// Parsed follows a file and parses each version of it.
type Parsed[T any] struct {
	config   ParsedConfig[T]
	follower *Follower
}

// NewParsed reads a file for the first time, and returns what follows it. [Parsed.Run]
// starts to follow. The error is that of reading or parsing the file, which may be
// followed all the same. An empty file parses as far as Parse accepts it.
func NewParsed[T any](ctx context.Context, config ParsedConfig[T]) (*Parsed[T], error) {
	p := &Parsed[T]{config: config}
	content, err := Read(ctx, config.Path, config.Limit)
	if err == nil {
		var value T
		if value, err = config.Parse(content); err == nil {
			config.Use(value)
		} else {
			content = nil // so that Run reports it
		}
	}
	p.follower = Follow(Config{
		Path: config.Path, Limit: config.Limit, Content: content, Watch: config.Watch, Log: config.Log,
		Whole: func(content []byte) bool { _, err := p.parse(content); return err == nil },
	})
	return p, err
}

// Reread makes Run read the file again soon, whether it changed or not.
func (p *Parsed[T]) Reread() { p.follower.Reread() }

// Run follows the file until ctx is done.
func (p *Parsed[T]) Run(ctx context.Context) {
	p.follower.Run(ctx, func(content []byte, err error) {
		if errors.Is(err, fs.ErrNotExist) && p.config.Missing != nil {
			p.config.Missing()
			return
		}
		var value T
		if err == nil {
			value, err = p.parse(content)
		}
		if err != nil {
			p.config.Fail(err)
			return
		}
		p.config.Use(value)
	})
}

// parse parses a later version of the file. A file is empty on a full disk, or while a
// shell waits for the command that writes it, so an empty version is an error.
func (p *Parsed[T]) parse(content []byte) (T, error) {
	value, err := p.config.Parse(content)
	if err == nil && len(bytes.TrimSpace(content)) == 0 {
		err = fmt.Errorf("%s: %w", p.config.Path, ErrEmpty)
	}
	return value, err
}
