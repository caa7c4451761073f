package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// findAssets finds the directory of kubectl, and of kube-apiserver and etcd if the
// provider is one that runs those.
func findAssets(dir, provider string) (string, error) {
	if dir == "" {
		dir = os.Getenv("KUBEBUILDER_ASSETS")
	}
	names := []string{"kube-apiserver", "etcd", "kubectl"}
	if provider == Kind {
		names = []string{"kubectl"}
	}
	if dir == "" {
		dir = besideThisProgram("k8s")
		if path, err := exec.LookPath("kubectl"); provider == Kind && err == nil && executable(filepath.Join(dir, "kubectl")) != nil {
			dir = filepath.Dir(path)
		}
	}
	for _, name := range names {
		if err := executable(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("finding a control plane: %w (make control-plane builds one; KUBEBUILDER_ASSETS names another)", err)
		}
	}
	return filepath.Abs(dir)
}

// findProgram finds a program of ours: as named, beside this one, or on PATH.
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
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not a program", path)
	}
	return nil
}
