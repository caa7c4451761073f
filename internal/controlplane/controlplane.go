// Package controlplane gets the programs of a Kubernetes control plane. It
// downloads those that are published for envtest. Where it cannot, it builds them
// from Go modules, which needs our source tree and a Go toolchain.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/internal/gobuild"
)

// The versions of the programs. hack/controlplane/go.mod has the same.
const (
	KubernetesVersion = "v1.36.3"
	EtcdVersion       = "v3.6.8"
)

// AssetsVariable is envtest's own environment variable: a directory of programs.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// ControllerManager runs the controllers of Kubernetes. They add the rules of
// ClusterRoles view, edit and admin, and each namespace's default ServiceAccount.
const ControllerManager = "kube-controller-manager"

// Programs returns the programs that envtest needs, and publishes.
func Programs() []string { return []string{"kube-apiserver", "etcd", "kubectl"} }

// AllPrograms returns the programs of a control plane with controllers. It works without
// the last one, [ControllerManager].
func AllPrograms() []string { return append(Programs(), ControllerManager) }

// A Progress reports what is being done.
type Progress = gobuild.Progress

// A Directory holds the programs, with a stamp beside each that names its version.
type Directory struct {
	// Path of the directory. It need not exist.
	Path string
	// Index is the URL of the index of published programs, or Off. Empty means
	// DefaultIndex.
	Index string
	// Releases is the URL of Kubernetes' releases, for ControllerManager, which envtest
	// does not publish. Empty means DefaultReleases. Index is Off for both.
	Releases string
	// Source is our source tree. If it is empty, nothing can be built.
	Source string
	// Go is the go command. Empty means the one on PATH.
	Go       string
	Progress Progress
}

// Default returns the directory for downloaded and built programs. In a source tree it is
// the one that make uses, else one in the user's cache. getenv reads the environment,
// which may name other places to download from.
func Default(source string, getenv func(string) string, progress Progress) (Directory, error) {
	d := Directory{Index: getenv(IndexVariable), Releases: getenv(ReleasesVariable), Source: source, Progress: progress}
	if source != "" {
		d.Path = filepath.Join(source, "bin", "k8s")
		return d, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return d, fmt.Errorf("finding a directory for the control plane (%s names one that has it): %w", AssetsVariable, err)
	}
	d.Path = filepath.Join(cache, "kube-iam-control-plane")
	return d, nil
}

// Get downloads or builds the programs that are missing.
func (d Directory) Get(ctx context.Context, programs ...string) error {
	steps, err := d.Steps(ctx, programs...)
	if err != nil {
		return err
	}
	return gobuild.Run(ctx, d.Progress, steps...)
}

// Steps downloads the programs if any is missing. If the download fails, it returns
// the steps that build them, unless the cause is on this machine. It does not build
// ControllerManager for a downloaded control plane, which works without it: that would
// compile most of Kubernetes.
func (d Directory) Steps(ctx context.Context, programs ...string) ([]gobuild.Step, error) {
	missing := d.missing(programs, true)
	if len(missing) == 0 {
		return nil, nil
	}
	d.Progress.Printf("missing in %s: %s of Kubernetes %s for %s", d.Path, list(missing), KubernetesVersion, platform())
	err := d.download(ctx, newClient(), missing)
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case isLocal(err):
		return nil, fmt.Errorf("downloading %s: %w", list(missing), err)
	}
	lacksOnlyControllers := slices.Equal(d.missing(programs, true), []string{ControllerManager})
	switch {
	case lacksOnlyControllers && (d.Source == "" || isDownloadedStamp(d.stamp("kube-apiserver"))):
		d.Progress.Printf("not downloaded: %v", err)
		d.Progress.Printf("the control plane runs without %s, so its ClusterRoles view, edit and admin have no rules (in a clone, hack/controlplane/build.sh builds it)", ControllerManager)
		return nil, nil
	case d.Source == "":
		return nil, fmt.Errorf("downloading %s: %w", list(missing), err)
	}
	d.Progress.Printf("not downloaded: %v", err)
	d.Progress.Printf("building from Go modules instead")
	return d.BuildSteps(programs...)
}

// download gets the missing programs from where each is published.
func (d Directory) download(ctx context.Context, client client, missing []string) error {
	if slices.ContainsFunc(missing, func(program string) bool { return program != ControllerManager }) {
		if err := d.downloadEnvtest(ctx, client); err != nil {
			return err
		}
	}
	if slices.Contains(missing, ControllerManager) {
		return d.downloadControllerManager(ctx, client)
	}
	return nil
}

// isLocal reports whether an error is about a file, such as on a full disk. A build
// would have the same error at its end.
func isLocal(err error) bool {
	_, ofFile := errors.AsType[*fs.PathError](err)
	_, ofRename := errors.AsType[*os.LinkError](err)
	return ofFile || ofRename
}

// missing returns the programs without the right stamp. With orDownloaded, it accepts
// another patch of the same minor version.
func (d Directory) missing(programs []string, orDownloaded bool) []string {
	var missing []string
	for _, program := range programs {
		stamp := d.stamp(program)
		fits := stamp == builtStamp() || orDownloaded && isDownloadedStamp(stamp)
		if !fits || Check(d.Path, program) != nil {
			missing = append(missing, program)
		}
	}
	return missing
}

// install moves programs from a directory beside their destination. It is called when
// all are complete, so that a killed run leaves nothing that looks finished.
func (d Directory) install(from, stamp string, programs []string) error {
	for _, program := range programs {
		if err := os.Remove(d.stampFile(program)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("installing %s: %w", program, err)
		}
		if err := os.Rename(filepath.Join(from, program), filepath.Join(d.Path, program)); err != nil {
			return fmt.Errorf("installing %s: %w", program, err)
		}
		if err := os.WriteFile(d.stampFile(program), []byte(stamp+"\n"), 0o644); err != nil { //nolint:gosec // it is no secret
			return fmt.Errorf("installing %s: %w", program, err)
		}
	}
	return nil
}

func (d Directory) stampFile(program string) string {
	return filepath.Join(d.Path, ".built-"+program)
}

// stamp returns the stamp of a program, or "" if it has none.
func (d Directory) stamp(program string) string {
	text, _ := os.ReadFile(d.stampFile(program))
	return strings.TrimSpace(string(text))
}

func builtStamp() string {
	return fmt.Sprintf("kubernetes %s etcd %s %s", KubernetesVersion, EtcdVersion, platform())
}

// The stamp of a download ends with the version in go.mod: a new version there
// invalidates the stamp.
func downloadedStamp(version string) string {
	return fmt.Sprintf("downloaded %s for kubernetes %s %s", version, KubernetesVersion, platform())
}

func isDownloadedStamp(stamp string) bool {
	_, ok := downloadedVersion(stamp)
	return ok
}

// downloadedVersion returns the version in the stamp of a download.
func downloadedVersion(stamp string) (version string, ok bool) {
	before, after, _ := strings.Cut(downloadedStamp("\x00"), "\x00")
	version, ok = strings.CutPrefix(stamp, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(version, after)
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// Check returns an error that names the programs that a directory lacks.
func Check(dir string, programs ...string) error {
	for _, program := range programs {
		if err := executable(filepath.Join(dir, program)); err != nil {
			return err
		}
	}
	return nil
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not a program", path)
	}
	return nil
}

// list returns "a, b and c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func seconds(d time.Duration) string { return d.Round(time.Second).String() }
