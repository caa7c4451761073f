//go:build !unix

package cache

import "io/fs"

// checkPrivate does nothing: where permission bits do not exist, as on Windows, the
// user's home directory is private.
func checkPrivate(string, fs.FileInfo) error { return nil }
