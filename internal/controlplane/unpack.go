package controlplane

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// maxUnpacked bounds the unpacked size of an archive. The programs have about 200 MB.
const maxUnpacked = 2 << 30

// unpack writes the named programs of an archive into dir. It ignores directories and
// everything else in the archive.
func unpack(archive io.Reader, dir string, programs []string) error {
	compressed, err := gzip.NewReader(archive)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for reader := tar.NewReader(io.LimitReader(compressed, maxUnpacked)); len(found) < len(programs); {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name := path.Base(header.Name)
		if header.Typeflag != tar.TypeReg || !slices.Contains(programs, name) || found[name] {
			continue
		}
		if err := write(filepath.Join(dir, name), reader); err != nil {
			return err
		}
		found[name] = true
	}
	for _, program := range programs {
		if !found[program] {
			return fmt.Errorf("expected %s, which is not in the archive", program)
		}
	}
	return nil
}

func write(path string, content io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755) //nolint:gosec // a program, for all
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
