//go:build unix

package file

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a file the owner and the group of another, as far as the system allows
// it, and reports whether it has the group.
func keepOwner(f *os.File, was fs.FileInfo) bool {
	owner, ok := was.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	const same = -1
	if f.Chown(int(owner.Uid), int(owner.Gid)) == nil || f.Chown(same, int(owner.Gid)) == nil {
		return true
	}
	now, err := f.Stat()
	if err != nil {
		return false
	}
	is, ok := now.Sys().(*syscall.Stat_t)
	return ok && is.Gid == owner.Gid
}
