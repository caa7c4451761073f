package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A file of this machine that becomes one of the image.
type file struct {
	source, destination string
	size, mode          int64
}

// parseFile parses SRC=DST or SRC=DST:MODE.
func parseFile(value string) (file, error) {
	source, rest, ok := strings.Cut(value, "=")
	destination, mode, hasMode := strings.Cut(rest, ":")
	if !ok || source == "" {
		return file{}, errors.New("want SRC=DST or SRC=DST:MODE")
	}
	// To a runtime the prefix is a note that a file of a lower layer is gone.
	if !isAbsolute(destination) || destination == "/" || strings.HasPrefix(path.Base(destination), ".wh.") {
		return file{}, fmt.Errorf("unsafe destination %q: want the absolute path of a file, with no . or .. in it", destination)
	}
	info, err := os.Stat(source)
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, fmt.Errorf("there is no file %s", source)
	}
	if err != nil {
		return file{}, err
	}
	if !info.Mode().IsRegular() {
		return file{}, fmt.Errorf("%s is not a regular file: pack it and name the archive with --tar", source)
	}
	f := file{source: source, destination: destination, size: info.Size(), mode: 0o644}
	// The other bits are the umask of whoever made the file.
	if info.Mode()&0o100 != 0 {
		f.mode = 0o755
	}
	if hasMode {
		if f.mode, err = strconv.ParseInt(mode, 8, 64); err != nil || f.mode < 0 || f.mode > 0o7777 {
			return file{}, fmt.Errorf("mode %q: want an octal number such as 0755", mode)
		}
	}
	return f, nil
}

// An entry of an archive; without a source a directory.
type entry struct {
	header *tar.Header
	source string
}

// entries are the files and the directories on their way, sorted by name. A
// directory that is below already is as it is there: its entry in an upper layer
// would otherwise change its mode and owner.
func entries(files []file, below map[string]*tar.Header, modified time.Time) ([]entry, error) {
	byName := map[string]entry{}
	for _, f := range files {
		name := strings.TrimPrefix(f.destination, "/")
		if other, twice := byName[name]; twice {
			return nil, fmt.Errorf("%s is to be both %s and %s", f.destination, other.source, f.source)
		}
		if there, ok := below[name]; ok && there.Typeflag == tar.TypeDir {
			return nil, fmt.Errorf("%s is a directory in the archives: %s cannot be it", f.destination, f.source)
		}
		byName[name] = entry{&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: f.size, Mode: f.mode, ModTime: modified}, f.source}
	}
	for _, f := range files {
		for dir := path.Dir(strings.TrimPrefix(f.destination, "/")); dir != "."; dir = path.Dir(dir) {
			if byName[dir].source != "" {
				return nil, fmt.Errorf("/%s is to be a file, and the directory of %s", dir, f.destination)
			}
			header := &tar.Header{Typeflag: tar.TypeDir, Mode: 0o755, ModTime: modified}
			if there, ok := below[dir]; ok {
				if there.Typeflag != tar.TypeDir {
					return nil, fmt.Errorf("/%s is no directory in the archives: %s cannot be in it", dir, f.destination)
				}
				*header = *there
			}
			header.Name = dir + "/"
			byName[dir] = entry{header: header}
		}
	}
	var sorted []entry
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		sorted = append(sorted, byName[name])
	}
	return sorted, nil
}

// pack writes the files to a new archive.
func pack(archive string, files []file, below map[string]*tar.Header, modified time.Time) error {
	sorted, err := entries(files, below, modified)
	if err != nil {
		return err
	}
	output, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer output.Close()
	writer := tar.NewWriter(output)
	for _, e := range sorted {
		if err := writer.WriteHeader(e.header); err != nil {
			return err
		}
		if err := e.copyTo(writer); err != nil {
			return err
		}
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return output.Close()
}

func (e entry) copyTo(w io.Writer) error {
	if e.source == "" {
		return nil
	}
	content, err := os.Open(e.source)
	if err != nil {
		return err
	}
	defer content.Close()
	if _, err := io.Copy(w, content); err != nil {
		return fmt.Errorf("reading %s: %w", e.source, err)
	}
	return nil
}

// readHeaders adds the entries of an archive to those of the layers below.
func readHeaders(archive string, below map[string]*tar.Header) error {
	content, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer content.Close()
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not an uncompressed tar archive: %w", err)
		}
		below[path.Clean(header.Name)] = header
	}
}

// layerOf is an archive as a layer, compressed unless the level is 0.
func layerOf(archive string, level int) (v1.Layer, error) {
	if level > 0 {
		return tarball.LayerFromFile(archive, tarball.WithCompressionLevel(level), tarball.WithMediaType(types.OCILayer))
	}
	content, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	digest, size, err := v1.SHA256(content)
	if err != nil {
		return nil, err
	}
	return plain{archive, digest, size}, nil
}

// plain is an archive as a layer that is not compressed, which the library has
// no layer for.
type plain struct {
	archive string
	digest  v1.Hash
	size    int64
}

func (p plain) Digest() (v1.Hash, error)             { return p.digest, nil }
func (p plain) DiffID() (v1.Hash, error)             { return p.digest, nil }
func (p plain) Size() (int64, error)                 { return p.size, nil }
func (p plain) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
func (p plain) Compressed() (io.ReadCloser, error)   { return os.Open(p.archive) }
func (p plain) Uncompressed() (io.ReadCloser, error) { return os.Open(p.archive) }
