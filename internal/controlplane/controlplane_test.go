package controlplane

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-iam/authenticator/internal/controlplane/indextest"
)

// A record keeps the lines and statuses of a progress.
type record struct{ lines, statuses []string }

func (r *record) Printf(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *record) Statusf(format string, args ...any) {
	r.statuses = append(r.statuses, fmt.Sprintf(format, args...))
}

// programs writes programs to a new directory. Their content says which they are.
func programs(t *testing.T, content string, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name+" "+content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func pack(t *testing.T, content string) []byte {
	t.Helper()
	return indextest.Pack(t, programs(t, content, append(Programs(), "readme")...), append([]string{"readme"}, Programs()...)...)
}

// newDirectory is one without a source: it can only download.
func newDirectory(t *testing.T, index string) (Directory, *record) {
	t.Helper()
	progress := &record{}
	return Directory{Path: filepath.Join(t.TempDir(), "k8s"), Index: index, Progress: progress}, progress
}

func TestDownload(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		published []string
		want      string
		says      string
	}{
		"the wanted version": {[]string{"v1.36.2", KubernetesVersion, "v1.36.4"}, KubernetesVersion, "downloading Kubernetes " + KubernetesVersion + " from "},
		"the newest patch":   {[]string{"v1.36.9", "v1.36.10", "v1.36.1", "v1.36.11-rc.0", "v1.37.0", "v1.35.12"}, "v1.36.10", "downloading Kubernetes v1.36.10, as " + KubernetesVersion + " is not published for envtest, from "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var index indextest.Index
			for _, version := range test.published {
				index.Publish(version, pack(t, version))
			}
			directory, progress := newDirectory(t, index.Serve(t))
			if err := directory.Get(t.Context(), Programs()...); err != nil {
				t.Fatal(err)
			}
			for _, program := range Programs() {
				content, err := os.ReadFile(filepath.Join(directory.Path, program))
				if want := program + " " + test.want; err != nil || string(content) != want {
					t.Errorf("%s has %q, %v, want %q", program, content, err, want)
				}
			}
			if err := Check(directory.Path, Programs()...); err != nil {
				t.Error(err)
			}
			if text := strings.Join(progress.lines, "\n"); !strings.Contains(text, test.says) || !strings.Contains(text, "downloaded kube-apiserver, etcd and kubectl of Kubernetes "+test.want) {
				t.Errorf("progress is\n%s\nwant %q", text, test.says)
			}
			requests := index.Requests()
			if err := directory.Get(t.Context(), Programs()...); err != nil || index.Requests() != requests {
				t.Errorf("a second run: %v, %d requests, want none", err, index.Requests()-requests)
			}
			checkLeftovers(t, directory)
		})
	}
}

// Whatever goes wrong, the error says it, and nothing is there that looks done.
func TestDownloadFails(t *testing.T) {
	t.Parallel()
	here := runtime.GOOS + "-" + runtime.GOARCH
	good := pack(t, "good")
	for name, test := range map[string]struct {
		publish func(*indextest.Index)
		client  func(*client)
		want    string
	}{
		"nothing is published":       {publish: func(i *indextest.Index) { i.PublishFor("v1.0.0", here, good) }, want: "no Kubernetes 1.36 for " + runtime.GOOS + "/" + runtime.GOARCH + " is published"},
		"another minor version only": {publish: func(i *indextest.Index) { i.Publish("v1.35.0", good) }, want: "no Kubernetes 1.36 for "},
		"not for this platform":      {publish: func(i *indextest.Index) { i.PublishFor(KubernetesVersion, "plan9-arm", good) }, want: "no Kubernetes 1.36 for "},
		"another checksum": {publish: func(i *indextest.Index) {
			i.PublishFrom(KubernetesVersion, here, strings.Repeat("0", 128), serve(good))
		}, want: "the checksum does not match: expected SHA-512 \"000"},
		"no checksum": {publish: func(i *indextest.Index) { i.PublishFrom(KubernetesVersion, here, "", serve(good)) }, want: "the checksum does not match"},
		"no archive": {publish: func(i *indextest.Index) {
			i.PublishFrom(KubernetesVersion, here, "", http.NotFound)
		}, want: "expected HTTP status 200, got 404"},
		"the connection breaks": {publish: func(i *indextest.Index) {
			i.PublishFrom(KubernetesVersion, here, "", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write(good[:20])
			})
		}, want: "unexpected EOF"},
		"the archive stalls": {publish: func(i *indextest.Index) {
			i.PublishFrom(KubernetesVersion, here, "", func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write(good[:20])
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
		}, client: func(c *client) { c.stallTimeout = 50 * time.Millisecond }, want: "no data for 50ms"},
		"the archive trickles": {publish: func(i *indextest.Index) {
			i.PublishFrom(KubernetesVersion, here, "", func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					_, _ = w.Write(good[:1])
					_ = http.NewResponseController(w).Flush()
				}
			})
		}, client: func(c *client) { c.archiveTimeout, c.maxArchiveSize = 50*time.Millisecond, 1<<40 }, want: "not complete within 50ms"},
		"the archive is too big": {publish: func(i *indextest.Index) { i.Publish(KubernetesVersion, good) }, client: func(c *client) { c.maxArchiveSize = int64(len(good)) - 1 }, want: fmt.Sprintf("expected at most %d bytes", len(good)-1)},
		"the index is too big":   {publish: func(i *indextest.Index) { i.Publish(KubernetesVersion, good) }, client: func(c *client) { c.maxIndexSize = 20 }, want: "expected at most 20 bytes"},
		"not an archive":         {publish: func(i *indextest.Index) { i.Publish(KubernetesVersion, []byte("<html>")) }, want: "unpacking "},
		"the archive lacks a program": {publish: func(i *indextest.Index) {
			i.Publish(KubernetesVersion, indextest.Pack(t, programs(t, "", "etcd", "kubectl"), "etcd", "kubectl"))
		}, want: "expected kube-apiserver, which is not in the archive"},
		"a redirect to a secret that ends": {publish: func(i *indextest.Index) { i.PublishFrom(KubernetesVersion, here, "", redirectToNowhere) }, want: "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var index indextest.Index
			test.publish(&index)
			directory, _ := newDirectory(t, index.Serve(t))
			client := newClient()
			if test.client != nil {
				test.client(&client)
			}
			checkFails(t, directory, client, test.want)
		})
	}
}

func TestDownloadFailsWithoutAnIndex(t *testing.T) {
	t.Parallel()
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // it accepts, and answers nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hanging.Close() })
	for name, test := range map[string]struct{ index, want string }{
		"unreachable": {nowhere(t), "connection refused"},
		"no answer":   {"http://" + hanging.Addr().String(), "no answer within 50ms"},
		"no URL":      {"no url", "unsupported protocol scheme"},
		"off":         {Off, "downloads are off (ENVTEST_INDEX=off)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory, _ := newDirectory(t, test.index)
			client := newClient()
			client.indexTimeout = 50 * time.Millisecond
			if test.index != "http://"+hanging.Addr().String() {
				client.indexTimeout = time.Minute
			}
			checkFails(t, directory, client, test.want)
		})
	}
}

// A network's login page answers for the index, and is YAML or not.
func TestIndexIsALoginPage(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"<html>Log in</html>", "<!DOCTYPE html>\n<html>\n<p>a: b: c</p>", "", "[1]", "releases: [1]"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(page))
		}))
		t.Cleanup(server.Close)
		directory, _ := newDirectory(t, server.URL)
		checkFails(t, directory, newClient(), "the index "+server.URL+" is not in the form of envtest's releases (expected YAML, got \"text/html; charset=utf-8\")")
	}
}

// A killed run leaves its directory, which the next run removes. It keeps the
// directory of a run that lives.
func TestPartialsOfKilledRuns(t *testing.T) {
	t.Parallel()
	directory, _ := newDirectory(t, "")
	killed, err := directory.newPartial()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(killed.path, "archive-1"), "some of it")
	if err := killed.lock.Close(); err != nil { // as the kernel does
		t.Fatal(err)
	}
	living, err := directory.newPartial()
	if err != nil {
		t.Fatal(err)
	}
	other, err := directory.newPartial()
	if err != nil {
		t.Fatal(err)
	}
	checkPartials(t, directory, living.path, other.path)
	if err := errors.Join(living.remove(), other.remove()); err != nil {
		t.Error(err)
	}
	checkPartials(t, directory)
}

func checkPartials(t *testing.T, d Directory, want ...string) {
	t.Helper()
	got, err := filepath.Glob(filepath.Join(d.Path, partialPrefix+"*"))
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the partial directories are %q, %v, want %q", got, err, want)
	}
}

// A stamp must fit the version and the platform, and its program must be there.
func TestMissing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stamp          string
		mode           os.FileMode
		missing, built bool
	}{
		"built":                      {builtStamp(), 0o755, false, true},
		"built, not executable":      {builtStamp(), 0o644, true, false},
		"built, of another version":  {strings.Replace(builtStamp(), "v1.36", "v1.35", 1), 0o755, true, false},
		"built, for another machine": {builtStamp() + "x", 0o755, true, false},
		"downloaded":                 {downloadedStamp("v1.36.1"), 0o755, false, false},
		"downloaded, for another":    {"downloaded v1.35.1 for kubernetes v1.35.2 " + platform(), 0o755, true, false},
		"no stamp":                   {"", 0o755, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := Directory{Path: programs(t, "", "etcd")}
			if err := os.Chmod(filepath.Join(directory.Path, "etcd"), test.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(directory.stampFile("etcd"), []byte(test.stamp+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if missing := len(directory.missing([]string{"etcd"}, true)) > 0; missing != test.missing {
				t.Errorf("missing: %v, want %v", missing, test.missing)
			}
			if built := len(directory.missing([]string{"etcd"}, false)) == 0; built != test.built {
				t.Errorf("built: %v, want %v", built, test.built)
			}
		})
	}
}

// The versions are those of go.mod, which the build reads, and the index is envtest's.
func TestVersions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", moduleDir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for module, version := range map[string]string{"k8s.io/kubernetes": KubernetesVersion, "go.etcd.io/etcd/server/v3": EtcdVersion} {
		if !bytes.Contains(text, []byte(module+" "+version+" ")) {
			t.Errorf("%s/go.mod does not have %s %s", moduleDir, module, version)
		}
	}
	if DefaultIndex != envtest.DefaultBinaryAssetsIndexURL {
		t.Errorf("DefaultIndex is %s, envtest's is %s", DefaultIndex, envtest.DefaultBinaryAssetsIndexURL)
	}
}

func TestFindSource(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		dirs []string
		want string
	}{
		"its root":        {[]string{root}, root},
		"inside":          {[]string{"/", filepath.Join(root, "bin", "none")}, root},
		"a nested module": {[]string{filepath.Join(root, moduleDir)}, root},
		"elsewhere":       {[]string{t.TempDir(), ""}, ""},
		"no such place":   {[]string{"/no/such/place"}, ""},
		"no directory":    {nil, ""},
	} {
		if got := FindSource(test.dirs...); got != test.want {
			t.Errorf("%s: FindSource(%q) = %q, want %q", name, test.dirs, got, test.want)
		}
	}
}

func checkFails(t *testing.T, directory Directory, client client, want string) {
	t.Helper()
	err := directory.downloadEnvtest(t.Context(), client)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("downloadEnvtest: %v, want %q in it", err, want)
	}
	if err != nil && strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the error has a secret: %v", err)
	}
	if missing := directory.missing(Programs(), true); len(missing) != len(Programs()) {
		t.Errorf("only %v are missing", missing)
	}
	checkLeftovers(t, directory)
}

// checkLeftovers finds what should not be in the directory.
func checkLeftovers(t *testing.T, directory Directory) {
	t.Helper()
	entries, err := os.ReadDir(directory.Path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := strings.TrimPrefix(entry.Name(), ".built-"); name != lockFile && !slices.Contains(AllPrograms(), name) {
			t.Errorf("%s is left over", entry.Name())
		}
	}
}

func serve(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }
}

func redirectToNowhere(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "http://127.0.0.1:1/?signature=SECRET", http.StatusFound)
}

// nowhere is the URL of a port that nothing listens on.
func nowhere(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return "http://" + listener.Addr().String()
}
