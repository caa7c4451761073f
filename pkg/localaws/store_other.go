//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package localaws

import (
	"errors"
	"fmt"
	"io"
)

// lockFile refuses: without a lock two servers could undo each other's changes.
func lockFile(string) (io.Closer, error) {
	return nil, fmt.Errorf("a state file needs a system with flock and fsync: %w", errors.ErrUnsupported)
}

func syncDir(string) error { return errors.ErrUnsupported }
