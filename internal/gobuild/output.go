package gobuild

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// maxSaid bounds what is kept of what go says: its end is of no more use.
const maxSaid = 64 << 10

// An output keeps what go says on standard error, for when it fails.
type output struct {
	text    strings.Builder
	modules int // how many it has downloaded
}

func (o *output) add(line string) {
	if o.text.Len()+len(line) < maxSaid {
		o.text.WriteString(line + "\n")
	}
}

// failure is the error of a command that failed.
func (o *output) failure(ctx context.Context, command string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%s: %w\n%s", command, err, strings.TrimSpace(o.text.String()))
}

// lines calls each with every line that is written to it.
type lines struct {
	each func(line string)
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.each(string(line))
		l.rest = rest
	}
}
