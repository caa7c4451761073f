package labtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/kube-iam/authenticator/internal/controlplane"
	"github.com/kube-iam/authenticator/internal/gobuild"
	"github.com/kube-iam/authenticator/pkg/lab"
)

// modulePath is the path of this module.
const modulePath = "github.com/kube-iam/authenticator"

// provide sets the paths of programs that the configuration does not name.
func provide(ctx context.Context, config *lab.Config, output io.Writer) error {
	missing := map[string]*string{"authenticator": &config.Authenticator}
	if config.Provider == lab.Kind {
		missing["localaws"] = &config.Kind.LocalAWS
	}
	maps.DeleteFunc(missing, func(_ string, path *string) bool { return *path != "" })
	module, err := moduleDir(ctx)
	if len(missing) > 0 {
		programs := slices.Sorted(maps.Keys(missing))
		dir := ""
		if err == nil {
			dir, err = build(ctx, module, output, programs...)
		}
		if err != nil {
			return fmt.Errorf("building %s: %w", strings.Join(programs, " and "), err)
		}
		for program, path := range missing {
			*path = filepath.Join(dir, program)
		}
	}
	config.Assets, err = controlPlane(ctx, *config, module, output)
	return err
}

// controlPlane returns the directory of the control plane: the named one, that of
// KUBEBUILDER_ASSETS, the one that make built, or one that it downloads.
func controlPlane(ctx context.Context, config lab.Config, module string, output io.Writer) (string, error) {
	assets, err := lab.FindAssets(config.Assets, config.Provider)
	if !errors.Is(err, lab.ErrNoAssets) {
		return assets, err
	}
	directory, err := controlplane.Default(controlplane.FindSource(module), os.Getenv, progress{output})
	if err != nil {
		return "", err
	}
	if err := directory.Get(ctx, lab.AssetsWanted(config.Provider)...); err != nil {
		return "", fmt.Errorf("getting a control plane: %w (%s names a directory that has kube-apiserver, etcd and kubectl; setup-envtest use --print path gets one)", err, controlplane.AssetsVariable)
	}
	return directory.Path, nil
}

// moduleDir returns the directory of this module's source, in the version that the
// test's module selects: a directory in the module cache, or that of a replace directive
// or a workspace. The build information of a test's program does not name it.
func moduleDir(ctx context.Context) (string, error) {
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", modulePath)
	var stderr strings.Builder
	command.Stderr = &stderr
	output, err := command.Output()
	dir := strings.TrimSpace(string(output))
	if err == nil && dir == "" {
		err = errors.New("it has no directory, as in a vendored module")
	}
	if err != nil {
		return "", fmt.Errorf("finding module %s (Config.Authenticator names a program that is built already): %w: %s", modulePath, err, strings.TrimSpace(stderr.String()))
	}
	return dir, nil
}

// build builds programs from the module in a directory, and returns their directory. It
// is always the same, so that go links only what has changed.
func build(ctx context.Context, module string, output io.Writer, programs ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(module))
	dir := filepath.Join(cache, "kube-iam-labtest", hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	// go test runs the tests of several packages at once.
	lock := flock.New(filepath.Join(dir, "lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("locking %s: %w", lock.Path(), err)
	}
	defer func() { _ = lock.Close() }()
	var packages []string
	for _, program := range programs {
		packages = append(packages, "./cmd/"+program)
	}
	return dir, gobuild.Run(ctx, progress{output}, gobuild.Step{
		Dir: module, Packages: packages, Output: dir,
		Flags: slices.Concat([]string{"-buildvcs=false"}, gobuild.ProgramFlags(), []string{"-ldflags=-s -w"}),
		// The flags and the workspace of the test's module do not fit this one.
		Env: []string{"GOFLAGS=-mod=readonly", "GOWORK=off", "CGO_ENABLED=0", "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH},
	})
}

// progress writes lines to the output of a test, and no status.
type progress struct{ output io.Writer }

func (p progress) Printf(format string, args ...any) {
	fmt.Fprintf(p.output, "labtest: "+format+"\n", args...)
}

func (p progress) Statusf(string, ...any) {}
