package certificate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kube-iam/authenticator/internal/file"
)

// Names of the files in the state directory: aws-iam-authenticator's.
const (
	File    = "cert.pem"
	KeyFile = "key.pem"
)

// Files are the paths of a certificate and its key.
type Files struct {
	Cert, Key string
	// Ours is set if the files are those of the state directory, which the server
	// makes if they are missing.
	Ours bool
}

// StateFiles returns the files of a state directory.
func StateFiles(dir string) Files {
	return Files{Cert: filepath.Join(dir, File), Key: filepath.Join(dir, KeyFile), Ours: true}
}

// remedy says how to replace the files.
func (f Files) remedy() string {
	if f.Ours {
		return fmt.Sprintf("remove %s and %s, and restart to generate new ones", f.Cert, f.Key)
	}
	return "replace both files"
}

// Load reads and parses the files. It returns nil if the certificate is to be made,
// because it is missing in the state directory. The key may be there: a process that was
// killed between the two writes leaves it.
func (f Files) Load(ctx context.Context, now time.Time) (*Pair, error) {
	certPEM, certErr := file.Read(ctx, f.Cert, file.MaxSettings)
	keyPEM, keyErr := file.Read(ctx, f.Key, file.MaxSettings)
	certMissing, keyMissing := errors.Is(certErr, fs.ErrNotExist), errors.Is(keyErr, fs.ErrNotExist)
	switch {
	case f.Ours && certMissing && (keyErr == nil || keyMissing):
		return nil, nil
	case certErr != nil && (!f.Ours || !certMissing):
		return nil, fmt.Errorf("reading the serving certificate: %w", certErr)
	case f.Ours && keyMissing:
		return nil, fmt.Errorf("reading the serving certificate's key: %w (remove %s to have new ones made)", keyErr, f.Cert)
	case keyErr != nil:
		return nil, fmt.Errorf("reading the serving certificate's key: %w", keyErr)
	}
	pair, err := parse(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the serving certificate %s and its key %s: %w (%s)", f.Cert, f.Key, err, f.remedy())
	}
	if now.After(pair.Expires()) {
		return nil, fmt.Errorf("reading the serving certificate %s: %w (%s)", f.Cert, untimely(pair.first(), now), f.remedy())
	}
	pair.files = f
	return pair, nil
}

// reload loads files that were there before: they are not made again.
func (f Files) reload(ctx context.Context, now time.Time) (*Pair, error) {
	pair, err := f.Load(ctx, now)
	if pair == nil && err == nil {
		err = fmt.Errorf("reading the serving certificate: %s or %s is missing", f.Cert, f.Key)
	}
	return pair, err
}

// LoadOrGenerate loads the files. If they are to be made, it makes a CA.
//
// The key is written first, and an existing key is used as it is. So a start after one
// that was killed in between goes on where that one ended, and of several servers that
// start at once in one directory, all use the same key.
func (f Files) LoadOrGenerate(ctx context.Context, hostname, address string, now time.Time) (*Pair, error) {
	pair, err := f.Load(ctx, now)
	if pair != nil || err != nil {
		return pair, err
	}
	if err := os.MkdirAll(filepath.Dir(f.Cert), 0o755); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	keyPEM, err := newKeyPEM()
	if err != nil {
		return nil, err
	}
	if err := file.Create(f.Key, keyPEM, 0o600); errors.Is(err, fs.ErrExist) {
		if keyPEM, err = file.Read(ctx, f.Key, file.MaxSettings); err != nil {
			return nil, fmt.Errorf("reading the serving certificate's key: %w", err)
		}
	} else if err != nil {
		return nil, err
	}
	certPEM, err := newAuthorityPEM(keyPEM, hostname, address, now)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for the key %s: %w (remove it to have a new one made)", f.Key, err)
	}
	if err := file.Write(f.Cert, certPEM, 0o644); err != nil {
		return nil, err
	}
	return f.reload(ctx, now)
}
