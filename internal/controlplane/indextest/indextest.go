// Package indextest publishes programs of a control plane on loopback, as envtest and
// Kubernetes do.
package indextest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/yaml"
)

// An Index is what is published; it can be changed until it is served.
type Index struct {
	// Releases are served as the index.
	Releases map[string]map[string]Archive `json:"releases"`
	contents map[string]http.HandlerFunc
	requests atomic.Int64
}

const indexPath = "/index.yaml"

// An Archive of the index.
type Archive struct {
	Hash     string `json:"hash"`
	SelfLink string `json:"selfLink"`
}

// Serve serves an index and its archives, and returns the URL of the index.
func (i *Index) Serve(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	for _, archives := range i.Releases {
		for name, archive := range archives {
			if archive.SelfLink == "" {
				archive.SelfLink = server.URL + "/" + name
				archives[name] = archive
			}
		}
	}
	return server.URL + indexPath
}

// ServeHTTP serves the index and what is published.
func (i *Index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.requests.Add(1)
	if serve, ok := i.contents[r.URL.Path]; ok {
		serve(w, r)
		return
	}
	if r.URL.Path != indexPath {
		http.NotFound(w, r)
		return
	}
	text, err := yaml.Marshal(i)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(text)
}

// Requests is how many requests were served.
func (i *Index) Requests() int { return int(i.requests.Load()) }

// Publish adds an archive for this platform.
func (i *Index) Publish(version string, archive []byte) {
	i.PublishFor(version, runtime.GOOS+"-"+runtime.GOARCH, archive)
}

// PublishFor adds an archive for a platform, such as linux-amd64.
func (i *Index) PublishFor(version, platform string, archive []byte) {
	sum := sha512.Sum512(archive)
	i.PublishFrom(version, platform, hex.EncodeToString(sum[:]), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(archive)))
		_, _ = w.Write(archive)
	})
}

// PublishFrom adds an archive with that hash, which serve serves.
func (i *Index) PublishFrom(version, platform, hash string, serve http.HandlerFunc) {
	name := "envtest-" + version + "-" + platform + ".tar.gz"
	if i.Releases == nil {
		i.Releases = map[string]map[string]Archive{}
	}
	if i.Releases[version] == nil {
		i.Releases[version] = map[string]Archive{}
	}
	i.Releases[version][name] = Archive{Hash: hash}
	i.serve("/"+name, serve)
}

// PublishRelease adds a program of a release of Kubernetes for this platform, with its
// checksum. The URL of the releases is that of the index, without its last element.
func (i *Index) PublishRelease(version, program string, content []byte) {
	sum := sha512.Sum512(content)
	i.PublishReleaseWith(version, program, hex.EncodeToString(sum[:]), content)
}

// PublishReleaseWith is PublishRelease with another checksum.
func (i *Index) PublishReleaseWith(version, program, hash string, content []byte) {
	at := "/" + path.Join(version, "bin", runtime.GOOS, runtime.GOARCH, program)
	for suffix, content := range map[string][]byte{"": content, ".sha512": []byte(hash)} {
		i.serve(at+suffix, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	}
}

func (i *Index) serve(at string, handler http.HandlerFunc) {
	if i.contents == nil {
		i.contents = map[string]http.HandlerFunc{}
	}
	i.contents[at] = handler
}

// Pack makes an archive of the programs in a directory.
func Pack(t testing.TB, dir string, programs ...string) []byte {
	t.Helper()
	var archive bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&archive, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	writer := tar.NewWriter(compressed)
	for _, program := range programs {
		if err := add(writer, filepath.Join(dir, program)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func add(writer *tar.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: "controller-tools/envtest/" + info.Name(), Mode: int64(info.Mode().Perm()), Size: info.Size()}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(writer, file)
	return err
}
