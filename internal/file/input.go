package file

import (
	"context"
	"fmt"
	"io"
)

// Stdin is the argument that names the standard input.
const Stdin = "-"

// ReadInput reads a file, or the standard input, of at most a number of bytes.
func ReadInput(ctx context.Context, stdin io.Reader, name string, limit int64) ([]byte, error) {
	if name != Stdin {
		return Read(ctx, name, limit)
	}
	content, err := Await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(stdin, limit+1)) })
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("reading standard input: it has more than %d bytes", limit)
	}
	return content, nil
}
