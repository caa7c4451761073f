// Package image assembles the container image of one program, without an engine and
// without a registry.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// Image is the image of a program, which is the only file in it.
type Image struct {
	// Name is the name and the tag of the image.
	Name string
	// Program is the path of the program on this machine. It must be static.
	Program string
	// Entrypoint is the path of the program in the image, and User its user.
	Entrypoint, User string
}

// Save writes the image as an archive of docker save.
func (i Image) Save(archive io.Writer) error {
	err := i.checkStatic()
	if err == nil {
		err = i.save(archive)
	}
	if err != nil {
		return fmt.Errorf("assembling image %s from %s: %w", i.Name, i.Program, err)
	}
	return nil
}

// checkStatic returns an error for a program that needs libraries: the image has none.
func (i Image) checkStatic() error {
	file, err := elf.Open(i.Program)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	for _, header := range file.Progs {
		if header.Type == elf.PT_INTERP {
			return errors.New("the program needs shared libraries (build it with CGO_ENABLED=0)")
		}
	}
	return nil
}

func (i Image) save(archive io.Writer) error {
	layer, err := i.layer()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(layer)
	digest := hex.EncodeToString(sum[:])
	config, err := json.Marshal(map[string]any{
		"os": "linux", "architecture": runtime.GOARCH,
		"config": map[string]any{"Entrypoint": []string{i.Entrypoint}, "User": i.User},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest}},
	})
	if err != nil {
		return err
	}
	layerName := digest + ".tar"
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{i.Name}, "Layers": []string{layerName}}})
	if err != nil {
		return err
	}
	return pack(archive, entry{"manifest.json", 0o644, manifest}, entry{"config.json", 0o644, config}, entry{layerName, 0o644, layer})
}

func (i Image) layer() ([]byte, error) {
	program, err := os.ReadFile(i.Program)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	err = pack(&layer, entry{strings.TrimPrefix(i.Entrypoint, "/"), 0o755, program})
	return layer.Bytes(), err
}

// An entry is a file of an archive.
type entry struct {
	name    string
	mode    int64
	content []byte
}

func pack(w io.Writer, entries ...entry) error {
	writer := tar.NewWriter(w)
	for _, e := range entries {
		if err := writer.WriteHeader(&tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content))}); err != nil {
			return err
		}
		if _, err := writer.Write(e.content); err != nil {
			return err
		}
	}
	return writer.Close()
}
