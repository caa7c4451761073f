package controlplane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	// ReleasesVariable is the environment variable for [Directory.Releases].
	ReleasesVariable = "KUBERNETES_RELEASES"
	// DefaultReleases is where Kubernetes publishes its programs.
	DefaultReleases = "https://dl.k8s.io"
)

// maxChecksumSize is far above the size of a checksum's file, which has 128 digits.
const maxChecksumSize = 4 << 10

// downloadControllerManager downloads kube-controller-manager in the version of the
// kube-apiserver beside it.
func (d Directory) downloadControllerManager(ctx context.Context, client client) error {
	if d.Index == Off {
		return errOff
	}
	version := d.version("kube-apiserver")
	from, err := url.JoinPath(cmp.Or(d.Releases, DefaultReleases), version, "bin", runtime.GOOS, runtime.GOARCH, ControllerManager)
	if err != nil {
		return fmt.Errorf("downloading %s: %w", ControllerManager, err)
	}
	started := time.Now()
	sum, err := client.checksum(ctx, from+".sha512")
	if err != nil {
		return err
	}
	d.Progress.Printf("downloading %s %s from %s", ControllerManager, version, shown(from))
	if err := d.downloadProgram(ctx, client, ControllerManager, archive{URL: from, SHA512: sum}, version); err != nil {
		return err
	}
	d.Progress.Printf("downloaded %s %s to %s in %s", ControllerManager, version, d.Path, seconds(time.Since(started)))
	return nil
}

func (d Directory) downloadProgram(ctx context.Context, client client, program string, from archive, version string) (err error) {
	partial, err := d.newPartial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, partial.remove()) }()
	file, err := os.OpenFile(filepath.Join(partial.path, program), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755) //nolint:gosec // a program, for all
	if err != nil {
		return fmt.Errorf("downloading %s: %w", program, err)
	}
	if err := errors.Join(client.archive(ctx, from, file, d.Progress), file.Close()); err != nil {
		return err
	}
	return d.install(partial.path, downloadedStamp(version), []string{program})
}

// checksum returns the SHA-512 that is published beside a program.
func (c client) checksum(ctx context.Context, from string) (string, error) {
	c.maxIndexSize = maxChecksumSize
	text, _, err := c.index(ctx, from)
	if err != nil {
		return "", err
	}
	sum, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if len(sum) != 128 {
		return "", fmt.Errorf("reading %s: expected a SHA-512 checksum of 128 digits", shown(from))
	}
	return sum, nil
}

// version returns the version of Kubernetes that a program has, by its stamp.
func (d Directory) version(program string) string {
	if version, ok := downloadedVersion(d.stamp(program)); ok {
		return version
	}
	return KubernetesVersion
}
