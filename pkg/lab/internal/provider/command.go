package provider

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/kube-iam/authenticator/internal/shell"
)

// DefaultDir returns the default directory of a lab.
func DefaultDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a directory for the lab (name one with --dir): %w", err)
	}
	return filepath.Join(cache, "kube-iam-lab"), nil
}

// Command returns a command of lab for the lab in a directory, as it can be typed.
func Command(dir string, words ...string) string {
	words = append([]string{"lab"}, words...)
	if standard, err := DefaultDir(); err != nil || dir != standard {
		words = append(words, "--dir", dir)
	}
	return shell.Join(words...)
}

// Command returns a command of lab for this lab, as it can be typed.
func (s Spec) Command(words ...string) string { return Command(s.Dir.Path(), words...) }
