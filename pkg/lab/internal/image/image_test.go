package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program writes an ELF file whose only segments have the given types.
func program(t *testing.T, segments ...elf.ProgType) string {
	t.Helper()
	var content bytes.Buffer
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Ehsize: 64, Phoff: 64, Phentsize: 56, Phnum: uint16(len(segments)),
	}
	parts := []any{header}
	for _, segment := range segments {
		parts = append(parts, elf.Prog64{Type: uint32(segment)})
	}
	for _, part := range parts {
		if err := binary.Write(&content, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// unpack returns the files of an archive.
func unpack(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for reader := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	path := program(t, elf.PT_LOAD)
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := (Image{Name: "example/hello:v1", Program: path, Entrypoint: "/hello", User: "10000:10000"}).Save(&archive); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, archive.Bytes())
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || len(manifest[0].Layers) != 1 || strings.Join(manifest[0].RepoTags, " ") != "example/hello:v1" {
		t.Fatalf("the manifest is %s", files["manifest.json"])
	}
	var config struct {
		OS     string
		Config struct {
			Entrypoint []string
			User       string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(files[manifest[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	layer := files[manifest[0].Layers[0]]
	sum := sha256.Sum256(layer)
	if got, want := strings.Join(config.RootFS.DiffIDs, " "), "sha256:"+hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the layer is %s, want %s", got, want)
	}
	if config.OS != "linux" || strings.Join(config.Config.Entrypoint, " ") != "/hello" || config.Config.User != "10000:10000" {
		t.Errorf("the configuration is %s", files[manifest[0].Config])
	}
	inside := unpack(t, layer)
	if len(inside) != 1 || !bytes.Equal(inside["hello"], want) {
		t.Errorf("the image has %d files, want only the program", len(inside))
	}
}

func TestSaveRefuses(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho it is a script\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		program(t, elf.PT_LOAD, elf.PT_INTERP): "build it with CGO_ENABLED=0",
		script:                                 "bad magic number",
		"/no/such":                             "no such file",
	} {
		err := Image{Name: "example/hello:v1", Program: path, Entrypoint: "/hello"}.Save(io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("Save = %v, want it to say %q of %s", err, want, path)
		}
	}
}
