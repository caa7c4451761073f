package controlplane

import (
	"cmp"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"
)

// A client downloads with limits on time and size.
type client struct {
	// indexTimeout bounds the download of the index.
	indexTimeout time.Duration
	// stallTimeout is how long an archive may deliver no data, and archiveTimeout
	// bounds its whole download.
	stallTimeout, archiveTimeout time.Duration
	maxIndexSize, maxArchiveSize int64
}

// newClient returns a client whose limits are far above the size of the index, about
// 100 kB, and of an archive, about 100 MB. The time-outs without data are short,
// because a machine without a network builds instead.
func newClient() client {
	return client{indexTimeout: 5 * time.Second, stallTimeout: 15 * time.Second, archiveTimeout: 30 * time.Minute, maxIndexSize: 8 << 20, maxArchiveSize: 1 << 30}
}

var errOff = errors.New("downloads are off (" + IndexVariable + "=" + Off + ")")

// downloadEnvtest gets the programs that are published for envtest.
func (d Directory) downloadEnvtest(ctx context.Context, client client) error {
	from := cmp.Or(d.Index, DefaultIndex)
	if from == Off {
		return errOff
	}
	started := time.Now()
	text, mediaType, err := client.index(ctx, from)
	if err != nil {
		return err
	}
	published, err := parseIndex(text)
	if err != nil {
		return fmt.Errorf("the index %s is %w (expected YAML, got %q)", shown(from), err, mediaType)
	}
	version, archive, err := published.find(KubernetesVersion, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return fmt.Errorf("reading the index %s: %w", shown(from), err)
	}
	if version == KubernetesVersion {
		d.Progress.Printf("downloading Kubernetes %s from %s", version, shown(archive.URL))
	} else {
		d.Progress.Printf("downloading Kubernetes %s, as %s is not published for envtest, from %s", version, KubernetesVersion, shown(archive.URL))
	}
	if err := d.downloadArchive(ctx, client, archive, version); err != nil {
		return err
	}
	d.Progress.Printf("downloaded %s of Kubernetes %s to %s in %s", list(Programs()), version, d.Path, seconds(time.Since(started)))
	return nil
}

func (d Directory) downloadArchive(ctx context.Context, client client, archive archive, version string) (err error) {
	partial, err := d.newPartial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, partial.remove()) }()
	file, err := os.CreateTemp(partial.path, "archive-")
	if err != nil {
		return fmt.Errorf("downloading a control plane: %w", err)
	}
	defer file.Close()
	if err := client.archive(ctx, archive, file, d.Progress); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading the archive: %w", err)
	}
	if err := unpack(file, partial.path, Programs()); err != nil {
		return fmt.Errorf("unpacking %s: %w", shown(archive.URL), err)
	}
	return d.install(partial.path, downloadedStamp(version), Programs())
}

// index returns the index and its media type.
func (c client) index(ctx context.Context, from string) (text []byte, mediaType string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.indexTimeout, fmt.Errorf("no answer within %s", c.indexTimeout))
	defer cancel()
	response, err := get(ctx, from)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(io.LimitReader(response.Body, c.maxIndexSize+1))
	if err != nil {
		return nil, "", failed(ctx, from, err)
	}
	if int64(len(text)) > c.maxIndexSize {
		return nil, "", failed(ctx, from, fmt.Errorf("expected at most %d bytes", c.maxIndexSize))
	}
	return text, response.Header.Get("Content-Type"), nil
}

// archive copies an archive to a file, and verifies its checksum.
func (c client) archive(ctx context.Context, archive archive, to io.Writer, progress Progress) error {
	ctx, stop := context.WithTimeoutCause(ctx, c.archiveTimeout, fmt.Errorf("not complete within %s", c.archiveTimeout))
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(c.stallTimeout, func() { cancel(fmt.Errorf("no data for %s", c.stallTimeout)) })
	defer stall.Stop()
	response, err := get(ctx, archive.URL)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	size := response.ContentLength
	hash := sha512.New()
	received := &counter{each: func(sum int64) {
		stall.Reset(c.stallTimeout)
		if size > 0 {
			progress.Statusf("downloaded %d of %d MB", sum/1e6, size/1e6)
		} else {
			progress.Statusf("downloaded %d MB", sum/1e6)
		}
	}}
	copied, err := io.Copy(io.MultiWriter(to, hash, received), io.LimitReader(response.Body, c.maxArchiveSize+1))
	if err != nil {
		return failed(ctx, archive.URL, err)
	}
	if copied > c.maxArchiveSize {
		return failed(ctx, archive.URL, fmt.Errorf("expected at most %d bytes", c.maxArchiveSize))
	}
	if got := hex.EncodeToString(hash.Sum(nil)); !strings.EqualFold(got, archive.SHA512) {
		return failed(ctx, archive.URL, fmt.Errorf("the checksum does not match: expected SHA-512 %q, as in the index, and got %q", archive.SHA512, got))
	}
	return nil
}

// get returns a response of status 200. The caller closes its body.
func get(ctx context.Context, from string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, failed(ctx, from, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, failed(ctx, from, err)
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, failed(ctx, from, fmt.Errorf("expected HTTP status 200, got %d", response.StatusCode))
	}
	return response, nil
}

// failed returns an error with the URL that was fetched. An error of net/http would
// contain the URL of a redirect, which can have a signature.
func failed(ctx context.Context, from string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	} else if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fmt.Errorf("fetching %s: %w", shown(from), err)
}

// shown returns a URL without the parts that can be secret.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// A counter counts the bytes that are written to it.
type counter struct {
	sum  int64
	each func(sum int64)
}

func (c *counter) Write(p []byte) (int, error) {
	c.sum += int64(len(p))
	c.each(c.sum)
	return len(p), nil
}
