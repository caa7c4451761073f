//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package account

import (
	"errors"
	"fmt"
	"io"
)

// lockFile always fails: without a lock two servers could overwrite each other.
func lockFile(string) (io.Closer, error) {
	return nil, fmt.Errorf("a state file requires a system with flock and fsync: %w", errors.ErrUnsupported)
}

func syncDir(string) error { return errors.ErrUnsupported }
