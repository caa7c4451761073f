package localaws

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

// Files are the files of a local AWS's clients, in one private directory: the CA,
// and a configuration with the profiles default and admin, both the administrator.
// The user's own ~/.aws is never touched.
type Files struct{ Dir string }

// CA returns the path of the certificate that clients trust.
func (f Files) CA() string { return filepath.Join(f.Dir, "ca.pem") }

// Config returns the path of the AWS CLI's configuration file.
func (f Files) Config() string { return filepath.Join(f.Dir, "config") }

// Credentials returns the path of the AWS CLI's credentials file.
func (f Files) Credentials() string { return filepath.Join(f.Dir, "credentials") }

// ControlSecret returns the path of the file with the control endpoints' secret.
func (f Files) ControlSecret() string { return filepath.Join(f.Dir, "control-secret") }

// LoadOrCreateCA loads the directory's CA, or creates it.
func (f Files) LoadOrCreateCA(now time.Time) (*proxy.CA, error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	return proxy.LoadOrCreateCA(f.CA(), filepath.Join(f.Dir, "ca-key.pem"), now)
}

// Write writes the configuration, the secret of the control endpoints and the
// administrator's key, which becomes the default key.
func (f Files) Write(a *AWS) error {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fmt.Errorf("making the state directory: %w", err)
	}
	var config strings.Builder
	for _, section := range []string{"default", "profile admin"} {
		fmt.Fprintf(&config, "[%s]\nregion = %s\noutput = json\n\n", section, a.Region())
	}
	if err := os.WriteFile(f.Config(), []byte(config.String()), 0o600); err != nil {
		return fmt.Errorf("writing the AWS configuration: %w", err)
	}
	if err := f.WriteControlSecret(a); err != nil {
		return err
	}
	return f.writeCredentials(a.Administrator(), a.Administrator())
}

// WriteControlSecret writes the secret of the control endpoints, which differs in each run.
func (f Files) WriteControlSecret(a *AWS) error {
	if err := os.WriteFile(f.ControlSecret(), []byte(a.ControlSecret()), 0o600); err != nil {
		return fmt.Errorf("writing the secret of the control endpoints: %w", err)
	}
	return nil
}

// WriteDefault makes a key the default one, as `aws configure` does.
func (f Files) WriteDefault(key AccessKey) error {
	admin, err := f.Administrator()
	if err != nil {
		return err
	}
	return f.writeCredentials(key, admin)
}

func (f Files) writeCredentials(key, admin AccessKey) error {
	var credentials strings.Builder
	for _, profile := range []struct {
		name string
		key  AccessKey
	}{{"default", key}, {"admin", admin}} {
		fmt.Fprintf(&credentials, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n", profile.name, profile.key.ID, profile.key.Secret)
	}
	if err := os.WriteFile(f.Credentials(), []byte(credentials.String()), 0o600); err != nil {
		return fmt.Errorf("writing the AWS credentials: %w", err)
	}
	return nil
}

// Administrator returns the key of profile admin in the credentials file, or the
// zero value if the file or the profile does not exist.
func (f Files) Administrator() (AccessKey, error) {
	file, err := os.Open(f.Credentials())
	if errors.Is(err, fs.ErrNotExist) {
		return AccessKey{}, nil
	}
	if err != nil {
		return AccessKey{}, fmt.Errorf("reading the AWS credentials: %w", err)
	}
	defer file.Close()
	var key AccessKey
	section := ""
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		if section != "admin" {
			continue
		}
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			key.ID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			key.Secret = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return AccessKey{}, fmt.Errorf("reading the AWS credentials: %w", err)
	}
	if key.ID == "" || key.Secret == "" {
		return AccessKey{}, nil
	}
	return key, nil
}
