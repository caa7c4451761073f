package main

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/kube-iam/authenticator/internal/file"
)

// stdin is the argument that names the standard input.
const stdin = "-"

// readInput reads a file, or the standard input, of at most a number of bytes.
func (p *program) readInput(ctx context.Context, name string, limit int64) ([]byte, error) {
	if name != stdin {
		return file.Read(ctx, name, limit)
	}
	content, err := file.Await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(p.in, limit+1)) })
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("reading standard input: it has more than %d bytes", limit)
	}
	return content, nil
}

// readLine reads what a person types on a terminal.
func readLine(ctx context.Context, terminal io.Reader) (string, error) {
	return file.Await(ctx, func() (string, error) { return bufio.NewReader(terminal).ReadString('\n') })
}
