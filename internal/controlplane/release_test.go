package controlplane

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/controlplane/indextest"
)

// newReleases is a directory with an index and releases, from which the programs that
// envtest needs have been downloaded in a version.
func newReleases(t *testing.T, version string, publish func(*indextest.Index)) (Directory, *record) {
	t.Helper()
	var published indextest.Index
	published.Publish(version, pack(t, version))
	if publish != nil {
		publish(&published)
	}
	index := published.Serve(t)
	directory, progress := newDirectory(t, index)
	directory.Releases = strings.TrimSuffix(index, "/index.yaml")
	return directory, progress
}

// The controllers have the version of the kube-apiserver that was downloaded.
func TestDownloadControllerManager(t *testing.T) {
	t.Parallel()
	for _, version := range []string{KubernetesVersion, "v1.36.10"} {
		directory, progress := newReleases(t, version, func(i *indextest.Index) {
			i.PublishRelease(version, ControllerManager, []byte("controllers "+version))
		})
		if err := directory.Get(t.Context(), AllPrograms()...); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(directory.Path, ControllerManager))
		if err != nil || string(content) != "controllers "+version {
			t.Errorf("%s has %q, %v", ControllerManager, content, err)
		}
		if err := Check(directory.Path, AllPrograms()...); err != nil {
			t.Error(err)
		}
		if text := strings.Join(progress.lines, "\n"); !strings.Contains(text, "downloaded "+ControllerManager+" "+version+" to ") {
			t.Errorf("progress is\n%s", text)
		}
		progress.lines = nil
		if err := directory.Get(t.Context(), AllPrograms()...); err != nil || len(progress.lines) != 0 {
			t.Errorf("a second run: %v, progress %q, want none", err, progress.lines)
		}
		checkLeftovers(t, directory)
	}
}

// A downloaded control plane works without its controllers: they are not built, which
// would take minutes.
func TestDownloadWithoutControllerManager(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		publish func(*indextest.Index)
		want    string
	}{
		"not published": {nil, "expected HTTP status 200, got 404"},
		"a wrong checksum": {func(i *indextest.Index) {
			i.PublishReleaseWith(KubernetesVersion, ControllerManager, strings.Repeat("0", 128), []byte("controllers"))
		}, "the checksum does not match"},
		"a login page": {func(i *indextest.Index) {
			i.PublishReleaseWith(KubernetesVersion, ControllerManager, "<html>", []byte("<html>"))
		}, "expected a SHA-512 checksum of 128 digits"},
		"a page that is too big": {func(i *indextest.Index) {
			i.PublishReleaseWith(KubernetesVersion, ControllerManager, strings.Repeat("0", maxChecksumSize+1), nil)
		}, "expected at most 4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory, progress := newReleases(t, KubernetesVersion, test.publish)
			directory.Source = newSource(t)
			if err := directory.Get(t.Context(), AllPrograms()...); err != nil {
				t.Fatal(err)
			}
			if missing := directory.missing(AllPrograms(), true); !slices.Equal(missing, []string{ControllerManager}) {
				t.Errorf("missing: %q, want %s", missing, ControllerManager)
			}
			text := strings.Join(progress.lines, "\n")
			for _, want := range []string{test.want, "runs without " + ControllerManager} {
				if !strings.Contains(text, want) {
					t.Errorf("progress is\n%s\nwant %q", text, want)
				}
			}
			if strings.Contains(text, "compil") {
				t.Errorf("something is built:\n%s", text)
			}
			checkLeftovers(t, directory)
		})
	}
}

// A built control plane gets its controllers from the same source.
func TestBuildControllerManager(t *testing.T) {
	t.Parallel()
	directory, _ := newDirectory(t, Off)
	directory.Source = newSource(t)
	for _, programs := range [][]string{Programs(), AllPrograms()} { // as after an upgrade of this repository
		if err := directory.Get(t.Context(), programs...); err != nil {
			t.Fatal(err)
		}
	}
	if missing := directory.missing(AllPrograms(), false); len(missing) != 0 {
		t.Errorf("%v are not built", missing)
	}
}

func TestDownloadedVersion(t *testing.T) {
	t.Parallel()
	for stamp, want := range map[string]string{
		downloadedStamp("v1.36.10"): "v1.36.10",
		builtStamp():                "",
		"":                          "",
	} {
		if got, ok := downloadedVersion(stamp); got != want || ok != (want != "") {
			t.Errorf("downloadedVersion(%q) = %q, %v, want %q", stamp, got, ok, want)
		}
	}
}
