package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kube-iam/authenticator/internal/controlplane"
)

// ErrNoAssets means that no directory of control-plane programs was named, and that
// none is in the default places.
var ErrNoAssets = errors.New("no control plane")

// AssetsWanted returns the programs that a provider uses from [Config.Assets]. With
// Envtest, a lab also works without the last one.
func AssetsWanted(provider string) []string {
	if provider == Kind {
		return []string{"kubectl"}
	}
	return controlplane.AllPrograms()
}

// FindAssets returns the directory of the control-plane programs that a provider
// needs: the named one, KUBEBUILDER_ASSETS, or k8s beside this program. For a provider
// that needs only kubectl, it falls back on the one on PATH.
func FindAssets(dir, provider string) (string, error) {
	needed := controlplane.Programs()
	if provider == Kind {
		needed = AssetsWanted(Kind)
	}
	if dir == "" {
		dir = os.Getenv(controlplane.AssetsVariable)
	}
	if dir != "" {
		if err := controlplane.Check(dir, needed...); err != nil {
			return "", fmt.Errorf("finding a control plane: %w (make control-plane gets one; --assets or %s names its directory)", err, controlplane.AssetsVariable)
		}
		return filepath.Abs(dir)
	}
	dir = besideThisProgram("k8s")
	err := controlplane.Check(dir, needed...)
	if err == nil {
		return filepath.Abs(dir)
	}
	if path, lookErr := exec.LookPath("kubectl"); provider == Kind && lookErr == nil {
		return filepath.Abs(filepath.Dir(path))
	}
	return "", fmt.Errorf("finding a control plane: %w: %w (make control-plane gets one; --assets or %s names its directory)", ErrNoAssets, err, controlplane.AssetsVariable)
}

// findProgram returns the path of one of our programs: as named, beside this program,
// or on PATH.
func findProgram(path, name string) (string, error) {
	if path == "" {
		path = besideThisProgram(name)
		if executable(path) != nil {
			found, err := exec.LookPath(name)
			if err != nil {
				return "", fmt.Errorf("finding the program %s: not beside this program and not on PATH (make build builds it)", name)
			}
			path = found
		}
	}
	if err := executable(path); err != nil {
		return "", fmt.Errorf("finding the program %s: %w", name, err)
	}
	return filepath.Abs(path)
}

func besideThisProgram(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

func executable(path string) error {
	return controlplane.Check(filepath.Dir(path), filepath.Base(path))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
