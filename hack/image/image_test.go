package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// image runs the program, as of SOURCE_DATE_EPOCH if it is not empty.
func image(t *testing.T, sourceDate string, args ...string) (string, error) {
	t.Helper()
	var stdout strings.Builder
	err := run(args, func(name string) string { return map[string]string{"SOURCE_DATE_EPOCH": sourceDate}[name] }, &stdout)
	return stdout.String(), err
}

// build writes an image to a new directory, and returns its path and what the
// command printed.
func build(t *testing.T, args ...string) (archive, told string) {
	t.Helper()
	archive = filepath.Join(t.TempDir(), "out.tar")
	told, err := image(t, "", append([]string{"build", "--output", archive, "--name", "example/hello:v1", "--platform", "linux/arm64"}, args...)...)
	if err != nil {
		t.Fatalf("image build %q: %v", args, err)
	}
	return archive, told
}

// source is a new file.
func source(t *testing.T, content string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// archiveOf is a new tar archive of empty entries.
func archiveOf(t *testing.T, headers ...*tar.Header) string {
	t.Helper()
	var content bytes.Buffer
	writer := tar.NewWriter(&content)
	for _, header := range headers {
		if err := writer.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return source(t, content.String(), 0o600)
}

func opened(t *testing.T, archive string) (*v1.ConfigFile, []v1.Layer) {
	t.Helper()
	read, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := read.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := read.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return config, layers
}

func uncompressed(t *testing.T, layer v1.Layer) []byte {
	t.Helper()
	reader, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// listing is what is in a layer, a line for each entry.
func listing(t *testing.T, layer v1.Layer) []string {
	t.Helper()
	var lines []string
	for reader := tar.NewReader(bytes.NewReader(uncompressed(t, layer))); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%c %04o %d:%d%s%s %s %s%s", header.Typeflag, header.Mode, header.Uid, header.Gid, header.Uname, header.Gname,
			header.ModTime.UTC().Format(time.DateOnly), header.Name, map[bool]string{true: " " + string(content)}[len(content) > 0]))
	}
}

func TestSameInputsSameBytes(t *testing.T) {
	t.Parallel()
	base := archiveOf(t, &tar.Header{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755})
	for _, flags := range [][]string{nil, {"--gzip", "1"}} {
		var first []byte
		var firstTold string
		for range 2 {
			// Another machine: other paths, times, owner's bits, order.
			program, text := source(t, "a program", 0o700), source(t, "a text", 0o600)
			files := []string{"--file", program + "=/bin/hello", "--file", text + "=/etc/motd"}
			if first != nil {
				for path, mode := range map[string]fs.FileMode{program: 0o755, text: 0o644} {
					if err := errors.Join(os.Chmod(path, mode), os.Chtimes(path, time.Time{}, time.Unix(1e9, 0))); err != nil {
						t.Fatal(err)
					}
				}
				files = append(files[2:], files[:2]...)
			}
			labels := []string{"--label", "a=1", "--label", "b=2", "--label", "org.opencontainers.image.title=hello", "--volume", "/a", "--volume", "/b"}
			archive, told := build(t, slices.Concat(flags, files, labels, []string{"--tar", base})...)
			content, err := os.ReadFile(archive)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first, firstTold = content, told
			} else if told != firstTold || !bytes.Equal(content, first) {
				t.Errorf("%q: the second image is not the first: %s, then %s", flags, firstTold, told)
			}
		}
	}
}

func TestTold(t *testing.T) {
	t.Parallel()
	archive, told := build(t, "--file", source(t, strings.Repeat("x", 1e6), 0o600)+"=/x", "--label", "org.opencontainers.image.title=hello", "--gzip", "1")
	config, layers := opened(t, archive)
	image, err := assemble(config, layers)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("example/hello:v1 linux/arm64 0.0MB %s\n", digest); told != want {
		t.Errorf("told %q, want %q", told, want)
	}
	if _, told := build(t, "--file", source(t, strings.Repeat("x", 1e6), 0o600)+"=/x"); !strings.HasPrefix(told, "example/hello:v1 linux/arm64 1.0MB sha256:") {
		t.Errorf("told %q of an image of 1 MB", told)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	program, text := source(t, "program", 0o750), source(t, "text", 0o604)
	below := archiveOf(t,
		&tar.Header{Typeflag: tar.TypeDir, Name: "./tmp/", Mode: 0o1777, Uid: 1, Gid: 2, ModTime: time.Unix(1e9, 0)},
		&tar.Header{Typeflag: tar.TypeReg, Name: "./tmp/there", Mode: 0o600})
	for _, test := range []struct {
		name       string
		sourceDate string
		args       []string
		want       []string
	}{
		{"a program", "", []string{"--file", program + "=/hello"},
			[]string{"0 0755 0:0 1970-01-01 hello program"}},
		{"a text", "", []string{"--file", text + "=/hello"},
			[]string{"0 0644 0:0 1970-01-01 hello text"}},
		{"modes", "", []string{"--file", program + "=/a:0400", "--file", text + "=/b:4755"},
			[]string{"0 0400 0:0 1970-01-01 a program", "0 4755 0:0 1970-01-01 b text"}},
		{"a time", "1000000000", []string{"--file", text + "=/a/b"},
			[]string{"5 0755 0:0 2001-09-09 a/", "0 0644 0:0 2001-09-09 a/b text"}},
		{"sorted, each directory once and before what is in it", "", []string{"--file", text + "=/b/c/2", "--file", text + "=/b/c/1", "--file", text + "=/b-c", "--file", text + "=/a"},
			[]string{"0 0644 0:0 1970-01-01 a text", "5 0755 0:0 1970-01-01 b/", "0 0644 0:0 1970-01-01 b-c text",
				"5 0755 0:0 1970-01-01 b/c/", "0 0644 0:0 1970-01-01 b/c/1 text", "0 0644 0:0 1970-01-01 b/c/2 text"}},
		{"a directory that is below stays as it is", "", []string{"--tar", below, "--file", text + "=/tmp/new/a", "--file", text + "=/tmp/there"},
			[]string{"5 1777 1:2 2001-09-09 tmp/", "5 0755 0:0 1970-01-01 tmp/new/", "0 0644 0:0 1970-01-01 tmp/new/a text", "0 0644 0:0 1970-01-01 tmp/there text"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			archive := filepath.Join(t.TempDir(), "out.tar")
			args := append([]string{"build", "--output", archive, "--name", "example/hello:v1", "--platform", "linux/amd64"}, test.args...)
			if _, err := image(t, test.sourceDate, args...); err != nil {
				t.Fatal(err)
			}
			_, layers := opened(t, archive)
			if got := listing(t, layers[len(layers)-1]); !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	hello := source(t, "hello", 0o700) + "=/hello"
	archive := filepath.Join(t.TempDir(), "out.tar")
	_, err := image(t, "1000000000", "build", "--output", archive, "--name", "example/hello:v1", "--platform", "linux/arm64", "--file", hello,
		"--entrypoint", "/hello", "--entrypoint", "world, all of it", "--cmd", "--loud", "--cmd", "", "--env", "PATH=/bin", "--env", "EMPTY=", "--env", "A=b=c",
		"--user", "10000:10001", "--workdir", "/work", "--label", "a=b=c", "--stop-signal", "SIGRTMIN+3", "--volume", "/var", "--volume", "/data")
	if err != nil {
		t.Fatal(err)
	}
	config, layers := opened(t, archive)
	created := v1.Time{Time: time.Unix(1e9, 0).UTC()}
	diffID, err := layers[0].DiffID()
	if err != nil {
		t.Fatal(err)
	}
	want := &v1.ConfigFile{
		OS: "linux", Architecture: "arm64", Created: created,
		History: []v1.History{{Created: created, CreatedBy: "image build"}},
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{diffID}},
		Config: v1.Config{
			Entrypoint: []string{"/hello", "world, all of it"}, Cmd: []string{"--loud", ""}, Env: []string{"PATH=/bin", "EMPTY=", "A=b=c"},
			User: "10000:10001", WorkingDir: "/work", Labels: map[string]string{"a": "b=c"}, StopSignal: "SIGRTMIN+3",
			Volumes: map[string]struct{}{"/var": {}, "/data": {}},
		},
	}
	if !reflect.DeepEqual(config, want) {
		t.Errorf("got  %+v\nwant %+v", config, want)
	}

	archive, _ = build(t, "--file", hello)
	if config, _ := opened(t, archive); !reflect.DeepEqual(config.Config, v1.Config{}) {
		t.Errorf("an image without options has the configuration %+v", config.Config)
	}
}

func TestTarsAreLayersAsTheyAre(t *testing.T) {
	t.Parallel()
	first := archiveOf(t,
		&tar.Header{Typeflag: tar.TypeReg, Name: "./usr/bin/ping", Mode: 0o4755, Uid: 5, Gid: 6, Uname: "games", ModTime: time.Unix(1e9, 5),
			Format: tar.FormatPAX, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"}},
		&tar.Header{Typeflag: tar.TypeLink, Name: "./usr/bin/ping4", Linkname: "./usr/bin/ping"},
		&tar.Header{Typeflag: tar.TypeSymlink, Name: "./bin", Linkname: "usr/bin"},
		&tar.Header{Typeflag: tar.TypeChar, Name: "./dev/null", Mode: 0o666, Devmajor: 1, Devminor: 3})
	second := archiveOf(t, &tar.Header{Typeflag: tar.TypeReg, Name: "etc/.wh.passwd"})
	for extension, flags := range map[string][]string{".tar": nil, ".tar.gz": {"--gzip", "9"}} {
		archive, _ := build(t, append(flags, "--tar", first, "--file", second+"=/third", "--tar", second)...)
		_, layers := opened(t, archive)
		if len(layers) != 3 {
			t.Fatalf("%q: %d layers, want 3", flags, len(layers))
		}
		manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(archive) })
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range manifest[0].Layers {
			if _, got, _ := strings.Cut(name, "."); "."+got != extension {
				t.Errorf("%q: the layer %s, want %s", flags, name, extension)
			}
		}
		for i, source := range []string{first, second} {
			want, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(uncompressed(t, layers[i]), want) {
				t.Errorf("%q: layer %d is not its archive", flags, i)
			}
		}
	}
}

func TestLargeTarsAreNotHeldInMemory(t *testing.T) {
	const size = 64 << 20
	large := filepath.Join(t.TempDir(), "large.tar")
	output, err := os.Create(large)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	if err := tar.NewWriter(output).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "large", Size: size}); err != nil {
		t.Fatal(err)
	}
	if err := output.Truncate(512 + size + 1024); err != nil { // the end of an archive is zeros
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	build(t, "--tar", large)
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > size/8 {
		t.Errorf("an archive of %d MB took %d MB of memory", size>>20, taken>>20)
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	hello := source(t, "hello", 0o600)
	other := source(t, "other", 0o600)
	absent := filepath.Join(t.TempDir(), "absent")
	base := archiveOf(t,
		&tar.Header{Typeflag: tar.TypeDir, Name: "./etc/", Mode: 0o755},
		&tar.Header{Typeflag: tar.TypeSymlink, Name: "./bin", Linkname: "usr/bin"})
	const unsafe = ": want the absolute path of a file, with no . or .. in it"
	for _, test := range []struct {
		args []string // each names again what it is about; the last one counts
		want string
	}{
		{[]string{"--platform", "linux/s390x"}, "--platform linux/s390x: want linux/amd64 or linux/arm64"},
		{[]string{"--platform", "linux"}, "--platform linux: want linux/amd64 or linux/arm64"},
		{[]string{"--platform", ""}, "--platform : want linux/amd64 or linux/arm64"},
		{[]string{"--name", "example/hello"}, "--name example/hello: want a tag too, such as example/hello:v1"},
		{[]string{"--name", "Example:v1"}, "--name: repository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: Example"},
		{[]string{"--output", absent + "/out.tar"}, "--output: stat " + absent + ": no such file or directory"},
		{[]string{"--gzip", "10"}, "--gzip 10: want 1 (fast) to 9 (small), or 0 to compress nothing"},
		{[]string{"--gzip", "-1"}, "--gzip -1: want 1 (fast) to 9 (small), or 0 to compress nothing"},
		{[]string{"--user", "nobody"}, "--user nobody: want numbers, UID or UID:GID"},
		{[]string{"--workdir", "work"}, "--workdir work: want an absolute path with no . or .. in it"},
		{[]string{"--volume", "/var/../etc"}, "--volume /var/../etc: want an absolute path with no . or .. in it"},
		{[]string{"--stop-signal", "TERM"}, "--stop-signal TERM: want a name such as SIGTERM or SIGRTMIN+3, or a number"},
		{[]string{"--env", "PATH"}, "--env PATH: want NAME=VALUE"},
		{[]string{"--env", "A=1", "--env", "A=2"}, "--env A=2: A is set twice"},
		{[]string{"--label", "=x"}, "--label =x: want NAME=VALUE"},
		{[]string{"--label", "a=1", "--label", "a=1"}, "--label a=1: a is set twice"},
		{[]string{"--file", hello}, "--file " + hello + ": want SRC=DST or SRC=DST:MODE"},
		{[]string{"--file", "=/a"}, "--file =/a: want SRC=DST or SRC=DST:MODE"},
		{[]string{"--file", absent + "=/a"}, "--file " + absent + "=/a: there is no file " + absent},
		{[]string{"--file", "/=/a"}, "--file /=/a: / is not a regular file: pack it and name the archive with --tar"},
		{[]string{"--file", hello + "="}, "--file " + hello + `=: unsafe destination ""` + unsafe},
		{[]string{"--file", hello + "=/"}, "--file " + hello + `=/: unsafe destination "/"` + unsafe},
		{[]string{"--file", hello + "=a"}, "--file " + hello + `=a: unsafe destination "a"` + unsafe},
		{[]string{"--file", hello + "=/../a"}, "--file " + hello + `=/../a: unsafe destination "/../a"` + unsafe},
		{[]string{"--file", hello + "=/a/"}, "--file " + hello + `=/a/: unsafe destination "/a/"` + unsafe},
		{[]string{"--file", hello + "=/a/.wh.b"}, "--file " + hello + `=/a/.wh.b: unsafe destination "/a/.wh.b"` + unsafe},
		{[]string{"--file", hello + "=/a:rwx"}, "--file " + hello + `=/a:rwx: mode "rwx": want an octal number such as 0755`},
		{[]string{"--file", hello + "=/a:"}, "--file " + hello + `=/a:: mode "": want an octal number such as 0755`},
		{[]string{"--file", hello + "=/a:10000"}, "--file " + hello + `=/a:10000: mode "10000": want an octal number such as 0755`},
		{[]string{"--file", hello + "=/a", "--file", other + "=/a"}, "packing the files: /a is to be both " + hello + " and " + other},
		{[]string{"--file", hello + "=/a/b", "--file", other + "=/a"}, "packing the files: /a is to be a file, and the directory of /a/b"},
		{[]string{"--tar", base, "--file", hello + "=/bin/a"}, "packing the files: /bin is no directory in the archives: /bin/a cannot be in it"},
		{[]string{"--tar", base, "--file", hello + "=/etc"}, "packing the files: /etc is a directory in the archives: " + hello + " cannot be it"},
		{[]string{"--tar", absent}, "--tar " + absent + ": open " + absent + ": no such file or directory"},
		{[]string{"--tar", hello}, "--tar " + hello + ": not an uncompressed tar archive: unexpected EOF"},
		{[]string{"--compress"}, "unknown flag: --compress"},
		{[]string{"more"}, `unknown command "more" for "image build"`},
	} {
		dir := t.TempDir()
		args := []string{"build", "--output", filepath.Join(dir, "out.tar"), "--name", "example/hello:v1", "--platform", "linux/amd64", "--file", hello + "=/hello"}
		stdout, err := image(t, "", append(args, test.args...)...)
		refused(t, test.args, stdout, err, test.want, dir)
	}
	dir := t.TempDir()
	stdout, err := image(t, "", "build", "--output", filepath.Join(dir, "out.tar"), "--name", "example/hello:v1", "--platform", "linux/amd64")
	refused(t, "nothing", stdout, err, "there is nothing to put into the image: name it with --file or --tar", dir)
	for _, date := range []string{"yesterday", "-1", "1.5"} {
		stdout, err := image(t, date, "build", "--output", filepath.Join(dir, "out.tar"), "--name", "example/hello:v1", "--platform", "linux/amd64", "--file", hello+"=/hello")
		refused(t, date, stdout, err, fmt.Sprintf("$SOURCE_DATE_EPOCH %q: want the seconds since 1970", date), dir)
	}
	stdout, err = image(t, "", "build", "--file", hello+"=/hello")
	refused(t, "no output", stdout, err, `required flag(s) "name", "output", "platform" not set`, dir)
}

// refused checks that one clear line says why, and that nothing was written.
func refused(t *testing.T, what any, stdout string, err error, want, dir string) {
	t.Helper()
	if err == nil || err.Error() != want || stdout != "" {
		t.Errorf("%q: error %v and output %q, want the error %s", what, err, stdout, want)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("%q: left %s", what, left[0].Name())
	}
}

// forPlatform is an archive for a platform, compressed, with labels.
func forPlatform(t *testing.T, platform string, labels ...string) (archive, told string) {
	t.Helper()
	args := []string{"--platform", platform, "--file", source(t, platform, 0o700) + "=/hello", "--gzip", "6"}
	for _, label := range labels {
		args = append(args, "--label", label)
	}
	return build(t, args...)
}

func TestIndex(t *testing.T) {
	t.Parallel()
	const title, version, amd, arm = "org.opencontainers.image.title=hello", "org.opencontainers.image.version=", "linux/amd64", "linux/arm64"
	first, firstTold := forPlatform(t, amd, title, version+"1", "maker=us")
	second, secondTold := forPlatform(t, arm, title, version+"2")
	dir := filepath.Join(t.TempDir(), "layout")
	told, err := image(t, "", "index", "--output", dir, "--name", "example/hello:v1", second, first)
	if err != nil {
		t.Fatal(err)
	}

	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "v1" {
		t.Fatalf("the layout has %+v, want one index with the tag v1", manifest.Manifests)
	}
	digest := manifest.Manifests[0].Digest
	if want := fmt.Sprintf("example/hello:v1 linux/amd64,linux/arm64 0.0MB %s\n", digest); told != want {
		t.Errorf("told %q, want %q", told, want)
	}
	index, err := outer.ImageIndex(digest)
	if err != nil {
		t.Fatal(err)
	}
	if manifest, err = index.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"org.opencontainers.image.title": "hello"}; !reflect.DeepEqual(manifest.Annotations, want) {
		t.Errorf("annotations %v, want those that the images share, %v", manifest.Annotations, want)
	}
	var platforms []string
	for i, told := range []string{firstTold, secondTold} {
		described := manifest.Manifests[i]
		platforms = append(platforms, described.Platform.String())
		if !strings.HasSuffix(told, described.Digest.String()+"\n") {
			t.Errorf("the index has %s, and build printed %s", described.Digest, told)
		}
		platformImage, err := index.Image(described.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkOCI(t, platformImage, fmt.Sprint(i+1))
	}
	if want := []string{amd, arm}; !slices.Equal(platforms, want) {
		t.Errorf("platforms %s, want %s", platforms, want)
	}

	// Again, in another order: the same, in the place of what was there.
	stale := filepath.Join(dir, "blobs", "stale")
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := image(t, "", "index", "--output", dir, "--name", "example/hello:v1", first, second)
	if err != nil || again != told {
		t.Errorf("told %q the first time, then %q, error %v", told, again, err)
	}
	if beside, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(beside) != 1 {
		t.Errorf("beside the layout are %v, error %v", beside, err)
	}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Mode() != 0o644 || path == stale {
			t.Errorf("%s: mode %o, error %v", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkOCI checks that an image is what OCI says, and has a version.
func checkOCI(t *testing.T, image v1.Image, version string) {
	t.Helper()
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	got := []types.MediaType{manifest.MediaType, manifest.Config.MediaType, manifest.Layers[0].MediaType}
	if want := []types.MediaType{types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer}; !slices.Equal(got, want) {
		t.Errorf("media types %s, want %s", got, want)
	}
	if want := map[string]string{"org.opencontainers.image.title": "hello", "org.opencontainers.image.version": version}; !reflect.DeepEqual(manifest.Annotations, want) {
		t.Errorf("annotations %v, want %v", manifest.Annotations, want)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if content := listing(t, layers[0]); len(content) != 1 {
		t.Errorf("the layer has %q", content)
	}
}

func TestIndexRefuses(t *testing.T) {
	t.Parallel()
	amd, _ := forPlatform(t, "linux/amd64")
	again, _ := forPlatform(t, "linux/amd64")
	plain, _ := build(t, "--file", amd+"=/x")
	text := source(t, "no archive", 0o600)
	// What other tools make: steps in the history that left no layer.
	made := func(architecture string, steps int) string {
		image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: architecture, History: make([]v1.History, steps)})
		if err != nil {
			t.Fatal(err)
		}
		archive := filepath.Join(t.TempDir(), "foreign.tar")
		if err := tarball.WriteToFile(archive, name.MustParseReference("example/foreign:v1"), image); err != nil {
			t.Fatal(err)
		}
		return archive
	}
	mainframe, foreign := made("s390x", 0), made("arm64", 1)
	occupied := filepath.Dir(source(t, "somebody's", 0o600))
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "requires at least 1 arg(s), only received 0"},
		{[]string{"--name", "hello", amd}, "--name hello: want a tag too, such as hello:v1"},
		{[]string{"--output", occupied, amd}, "--output " + occupied + ": it is there and is no image layout: remove it, or name another"},
		{[]string{"--output", text, amd}, "--output " + text + ": it is there and is no image layout: remove it, or name another"},
		{[]string{plain}, "reading " + plain + ": its layers are not compressed: build it with --gzip"},
		{[]string{amd, again}, "reading " + again + ": there is an image for linux/amd64 already"},
		{[]string{text}, "reading " + text + ": unexpected EOF"},
		{[]string{mainframe}, "reading " + mainframe + ": it is for linux/s390x: want linux/amd64 or linux/arm64"},
		{[]string{foreign}, "reading " + foreign + `: "image build" did not write it`},
	} {
		dir := t.TempDir()
		stdout, err := image(t, "", append([]string{"index", "--output", filepath.Join(dir, "layout"), "--name", "example/hello:v1"}, test.args...)...)
		refused(t, test.args, stdout, err, test.want, dir)
	}
	if content, err := os.ReadFile(filepath.Join(occupied, "source")); err != nil || string(content) != "somebody's" {
		t.Errorf("what was in the way has become %q, error %v", content, err)
	}
}
