package localaws

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/file"
	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

// Files are the files of a local AWS's clients, in one private directory: the CA,
// and a configuration with the profiles default and admin, both the administrator of
// the first account, and admin-ID for the administrator of each further one.
// Other profiles are the user's, and stay. The user's own ~/.aws is never touched.
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

// adminProfile is the profile of the first account's administrator.
const adminProfile = "admin"

// A profile is a section of a credentials file.
type profile struct {
	name, account string
	key           AccessKey
}

// Write writes the configuration, the secret of the control endpoints and the
// administrators' keys. That of the first account becomes the default key.
func (f Files) Write(a *AWS) error {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fmt.Errorf("making the state directory: %w", err)
	}
	var admins []profile
	for i, account := range a.Accounts() {
		name := adminProfile
		if i > 0 {
			name += "-" + account.ID
		}
		admins = append(admins, profile{name, account.ID, account.Administrator})
	}
	var config strings.Builder
	fmt.Fprintf(&config, "[default]\nregion = %s\noutput = json\n\n", a.Region())
	for _, admin := range admins {
		fmt.Fprintf(&config, "[profile %s]\nregion = %s\noutput = json\n\n", admin.name, a.Region())
	}
	if err := writeSections(f.Config(), config.String()); err != nil {
		return fmt.Errorf("writing the AWS configuration: %w", err)
	}
	if err := f.WriteControlSecret(a); err != nil {
		return err
	}
	return f.writeCredentials(profile{"default", admins[0].account, admins[0].key}, admins)
}

// WriteControlSecret writes the secret of the control endpoints, which differs in each run.
func (f Files) WriteControlSecret(a *AWS) error {
	if err := file.Write(f.ControlSecret(), []byte(a.ControlSecret()), 0o600); err != nil {
		return fmt.Errorf("writing the secret of the control endpoints: %w", err)
	}
	return nil
}

// WriteDefault makes a key the default one, as `aws configure` does.
func (f Files) WriteDefault(key AccessKey) error {
	admins, err := f.administrators()
	if err != nil {
		return err
	}
	return f.writeCredentials(profile{name: "default", key: key}, admins)
}

func (f Files) writeCredentials(byDefault profile, admins []profile) error {
	var credentials strings.Builder
	for _, profile := range append([]profile{byDefault}, admins...) {
		fmt.Fprintf(&credentials, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", profile.name, profile.key.ID, profile.key.Secret)
		if profile.account != "" {
			fmt.Fprintf(&credentials, "aws_account_id = %s\n", profile.account)
		}
		credentials.WriteString("\n")
	}
	if err := writeSections(f.Credentials(), credentials.String()); err != nil {
		return fmt.Errorf("writing the AWS credentials: %w", err)
	}
	return nil
}

// writeSections writes our sections of a file of the AWS CLI, and keeps those of the user.
func writeSections(path, ours string) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	written := []byte(ours)
	kept := false
	for line := range strings.Lines(string(text)) {
		if name, ok := section(line); ok {
			kept = name != "default" && !isAdmin(name)
		}
		if kept {
			written = append(written, line...)
		}
	}
	return file.Write(path, written, 0o600)
}

// section returns the profile whose section a line begins: alice for [profile alice].
func section(line string) (name string, ok bool) {
	header, ok := strings.CutPrefix(line, "[")
	if !ok {
		return "", false
	}
	header, _, _ = strings.Cut(header, "]")
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(header), "profile ")), true
}

func isAdmin(profile string) bool {
	return profile == adminProfile || strings.HasPrefix(profile, adminProfile+"-")
}

// Administrator returns the key of profile admin in the credentials file, or the
// zero value if the file or the profile does not exist.
func (f Files) Administrator() (AccessKey, error) {
	admins, err := f.administrators()
	if err != nil {
		return AccessKey{}, err
	}
	for _, admin := range admins {
		if admin.name == adminProfile {
			return admin.key, nil
		}
	}
	return AccessKey{}, nil
}

// AdministratorOf returns the key of an account's administrator in the credentials
// file, or the zero value if the file has none.
func (f Files) AdministratorOf(accountID string) (AccessKey, error) {
	admins, err := f.administrators()
	if err != nil {
		return AccessKey{}, err
	}
	for _, admin := range admins {
		if admin.account == accountID {
			return admin.key, nil
		}
	}
	return AccessKey{}, nil
}

// administrators returns the profiles of administrators in the credentials file.
func (f Files) administrators() ([]profile, error) {
	credentials, err := os.Open(f.Credentials())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the AWS credentials: %w", err)
	}
	defer credentials.Close()
	var all []profile
	lines := bufio.NewScanner(credentials)
	for lines.Scan() {
		if name, ok := section(lines.Text()); ok {
			all = append(all, profile{name: name})
			continue
		}
		name, value, _ := strings.Cut(lines.Text(), "=")
		if len(all) == 0 {
			continue
		}
		last := &all[len(all)-1]
		switch value = strings.TrimSpace(value); strings.TrimSpace(name) {
		case "aws_access_key_id":
			last.key.ID = value
		case "aws_secret_access_key":
			last.key.Secret = value
		case "aws_account_id":
			last.account = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the AWS credentials: %w", err)
	}
	return slices.DeleteFunc(all, func(p profile) bool {
		return !isAdmin(p.name) || p.key.ID == "" || p.key.Secret == ""
	}), nil
}
