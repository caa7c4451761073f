package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/controlplane/indextest"
)

// newSource is a source tree whose programs print their name, in place of
// Kubernetes' and etcd's. They are in no build cache.
func newSource(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"go.mod": ourModule + "\n",
		moduleDir + "/go.mod": `module example.com/controlplane

go 1.26

require (
	go.etcd.io/etcd/server/v3 v3.0.0
	k8s.io/kubernetes v1.0.0
)

replace (
	go.etcd.io/etcd/server/v3 => ../../etcd
	k8s.io/kubernetes => ../../kubernetes
)

tool (
	go.etcd.io/etcd/server/v3
	k8s.io/kubernetes/cmd/kube-apiserver
	k8s.io/kubernetes/cmd/kube-controller-manager
	k8s.io/kubernetes/cmd/kubectl
)
`,
		"etcd/go.mod":                                    "module go.etcd.io/etcd/server/v3\n",
		"etcd/main.go":                                   source("etcd"),
		"kubernetes/go.mod":                              "module k8s.io/kubernetes\n",
		"kubernetes/cmd/kube-apiserver/main.go":          source("kube-apiserver"),
		"kubernetes/cmd/kubectl/main.go":                 source("kubectl"),
		"kubernetes/cmd/kube-controller-manager/main.go": source(ControllerManager),
	}
	for name, text := range files {
		writeFile(t, filepath.Join(root, name), text)
	}
	return root
}

func source(name string) string {
	return fmt.Sprintf("package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(%q) } // %s\n", name, time.Now())
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o750)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Where nothing can be downloaded, the programs are built.
func TestBuild(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ index, says string }{
		"unreachable": {nowhere(t), "not downloaded: fetching http://127.0.0.1:"},
		"off":         {Off, "not downloaded: downloads are off (ENVTEST_INDEX=off)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory, progress := newDirectory(t, test.index)
			directory.Source = newSource(t)
			if err := directory.Get(t.Context(), Programs()...); err != nil {
				t.Fatal(err)
			}
			for _, program := range Programs() {
				output, err := exec.Command(filepath.Join(directory.Path, program)).Output()
				if err != nil || string(output) != program {
					t.Errorf("%s prints %q, %v", program, output, err)
				}
			}
			if missing := directory.missing(Programs(), false); len(missing) != 0 {
				t.Errorf("%v are not stamped", missing)
			}
			text := strings.Join(progress.lines, "\n")
			for _, want := range []string{test.says, "building from Go modules instead", "compiling 3 packages", "built in "} {
				if !strings.Contains(text, want) {
					t.Errorf("progress is\n%s\nwant %q", text, want)
				}
			}
			progress.lines = nil
			if err := directory.Get(t.Context(), Programs()...); err != nil || len(progress.lines) != 0 {
				t.Errorf("a second run: %v, progress %q, want none", err, progress.lines)
			}
			checkLeftovers(t, directory)
		})
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	directory, _ := newDirectory(t, Off)
	directory.Source = newSource(t)
	writeFile(t, filepath.Join(directory.Source, "etcd", "main.go"), "package main\n\nfunc main() { undefined() }\n")
	if err := directory.Get(t.Context(), Programs()...); err == nil || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("Get: %v, want the compiler's error", err)
	}
	if missing := directory.missing(Programs(), true); len(missing) != len(Programs()) {
		t.Errorf("only %v are missing", missing)
	}
	checkLeftovers(t, directory)
}

// A directory that cannot be written is an error before the build, which takes minutes.
func TestNothingIsBuiltForADirectoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	var published indextest.Index
	published.Publish(KubernetesVersion, pack(t, ""))
	for name, index := range map[string]string{"published": published.Serve(t), "not published": Off} {
		directory, progress := newDirectory(t, index)
		directory.Source = newSource(t)
		writeFile(t, directory.Path, "no directory")
		err := directory.Get(t.Context(), Programs()...)
		if err == nil || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("%s: Get: %v, want that it is not a directory", name, err)
		}
		text := strings.Join(progress.lines, "\n")
		if strings.Contains(text, "compiling") || index != Off && strings.Contains(text, "building") {
			t.Errorf("%s: progress is\n%s\nwant no build", name, text)
		}
	}
}

func TestGetIsCancelled(t *testing.T) {
	t.Parallel()
	directory, _ := newDirectory(t, nowhere(t))
	directory.Source = newSource(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if err := directory.Get(ctx, Programs()...); !errors.Is(err, enough) {
		t.Errorf("Get: %v, want %v", err, enough)
	}
	checkLeftovers(t, directory)
}

// The directory may be named from here, though go runs elsewhere.
func TestBuildHere(t *testing.T) {
	t.Chdir(t.TempDir())
	directory := Directory{Path: "k8s", Index: Off, Source: newSource(t), Progress: &record{}}
	if err := directory.Get(t.Context(), "etcd"); err != nil {
		t.Fatal(err)
	}
	if err := Check("k8s", "etcd"); err != nil {
		t.Error(err)
	}
	checkLeftovers(t, directory)
}

// A downloaded program may have another version: where the exact one is needed, it is
// built.
func TestBuildReplacesDownloaded(t *testing.T) {
	t.Parallel()
	directory := Directory{Path: programs(t, "", "etcd", "kubectl"), Source: newSource(t), Progress: &record{}}
	writeFile(t, directory.stampFile("etcd"), downloadedStamp("v1.36.1"))
	writeFile(t, directory.stampFile("kubectl"), builtStamp())
	steps, err := directory.BuildSteps("etcd", "kubectl")
	if err != nil || len(steps) != 1 || len(steps[0].Packages) != 1 || steps[0].Packages[0] != packageOf("etcd") {
		t.Errorf("BuildSteps = %+v, %v, want etcd alone", steps, err)
	}
}
