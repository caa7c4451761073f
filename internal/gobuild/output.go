package gobuild

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// maxSaid bounds how much of the output of go is kept. The first lines name the cause.
const maxSaid = 64 << 10

// An output keeps the standard error of go for the message of a failure.
type output struct {
	text    strings.Builder
	modules int // how many it has downloaded
}

func (o *output) add(line string) {
	if o.text.Len()+len(line) < maxSaid {
		o.text.WriteString(line + "\n")
	}
}

// failure returns the error of a failed command.
func (o *output) failure(ctx context.Context, command string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%s: %w\n%s", command, err, strings.TrimSpace(o.text.String()))
}

// lines calls each for every line that is written to it.
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
