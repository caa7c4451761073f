package localaws

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/file"
)

// Bundle returns the path of the system's CA certificates followed by our own.
func (f Files) Bundle() string { return filepath.Join(f.Dir, "ca-bundle.pem") }

func (f Files) address() string { return filepath.Join(f.Dir, "address") }

// Announce writes what clients need to find and trust the local AWS that listens at
// a host and port: its address, and the bundle of CAs. The CA must be written before.
func (f Files) Announce(hostPort string) error {
	ours, err := os.ReadFile(f.CA())
	if err != nil {
		return fmt.Errorf("reading the CA: %w", err)
	}
	system, err := systemCAs(systemCAFiles())
	if err != nil {
		return err
	}
	if err := file.Write(f.Bundle(), slices.Concat(system, ours), 0o600); err != nil {
		return fmt.Errorf("writing the bundle of CAs: %w", err)
	}
	if err := file.Write(f.address(), []byte(hostPort+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the address: %w", err)
	}
	return nil
}

// Address returns the host and port that Announce wrote last, or an empty string if
// there is none.
func (f Files) Address() (string, error) {
	text, err := os.ReadFile(f.address())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the address: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// systemCAFiles lists where systems keep their CA certificates in one file: Debian,
// Fedora, openSUSE, RHEL, and Alpine with macOS.
func systemCAFiles() []string {
	return []string{
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/cert.pem",
	}
}

// systemCAs returns the content of the first of the files that exists, in whole
// lines. A system without one trusts nobody, and neither does the bundle.
func systemCAs(files []string) ([]byte, error) {
	for _, path := range files {
		text, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("reading the system's CAs: %w", err)
		case len(text) > 0 && text[len(text)-1] != '\n':
			text = append(text, '\n')
		}
		return text, nil
	}
	return nil, nil
}
