package controlplane

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/internal/gobuild"
)

// moduleDir is the directory of the source tree whose go.mod requires the programs.
const moduleDir = "hack/controlplane"

// ourModule is in the first line of our go.mod.
const ourModule = "module github.com/kube-iam/authenticator"

// FindSource returns our source tree if one of the directories is in it, else "".
func FindSource(dirs ...string) string {
	for _, dir := range dirs {
		for dir != "" {
			if isSource(dir) {
				return dir
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	return ""
}

func isSource(dir string) bool {
	file, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	defer file.Close()
	line, _ := bufio.NewReader(file).ReadString('\n')
	_, err = os.Stat(filepath.Join(dir, moduleDir, "go.mod"))
	return strings.TrimSpace(line) == ourModule && err == nil
}

// BuildSteps returns the steps that build the missing programs. It can build every
// program of Kubernetes, not only those of [Programs]. It replaces a downloaded
// program, which may have another version.
func (d Directory) BuildSteps(programs ...string) ([]gobuild.Step, error) {
	missing := d.missing(programs, false)
	if len(missing) == 0 {
		return nil, nil
	}
	// A directory that cannot be written is found before the build, not at its end.
	partial, err := d.newPartial()
	if err != nil {
		return nil, err
	}
	var packages []string
	for _, program := range missing {
		packages = append(packages, packageOf(program))
	}
	return []gobuild.Step{{
		// One build for all, so that compiling continues while one of them is linked.
		Go:       d.Go,
		Dir:      filepath.Join(d.Source, moduleDir),
		Packages: packages,
		Flags:    slices.Concat([]string{"-buildvcs=false"}, gobuild.KubernetesFlags(), []string{"-ldflags=" + ldflags()}),
		Output:   partial.path,
		Env:      []string{"CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH},
		Done: func(err error) error {
			if err == nil {
				err = d.installBuilt(partial.path, missing)
			}
			return errors.Join(err, partial.remove())
		},
	}}, nil
}

func (d Directory) installBuilt(partial string, programs []string) error {
	for _, program := range programs {
		built := filepath.Base(strings.TrimSuffix(packageOf(program), "/v3"))
		if err := os.Rename(filepath.Join(partial, built), filepath.Join(partial, program)); err != nil {
			return fmt.Errorf("installing %s: %w", program, err)
		}
	}
	return d.install(partial, builtStamp(), programs)
}

func packageOf(program string) string {
	if program == "etcd" {
		return "go.etcd.io/etcd/server/v3"
	}
	return "k8s.io/kubernetes/cmd/" + program
}

// ldflags give the programs their version, as Kubernetes' own build does.
func ldflags() string {
	minor, _, _ := strings.Cut(strings.TrimPrefix(KubernetesVersion, "v1."), ".")
	flags := "-s -w"
	for _, into := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags += fmt.Sprintf(" -X %s.gitVersion=%s -X %[1]s.gitMajor=1 -X %[1]s.gitMinor=%[3]s -X %[1]s.gitTreeState=clean", into, KubernetesVersion, minor)
	}
	return flags
}
