package localaws_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// hostile returns an environment with every variable that could lead clients away
// from the local AWS.
func hostile() []string {
	var environ []string
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_EKS", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_DYNAMODB",
		"NO_PROXY", "no_proxy", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_DATA_PATH",
		"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
		"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY", "LOCALAWS_DIR",
		"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "AWS_EC2_METADATA_DISABLED",
	} {
		environ = append(environ, name+"=hostile")
	}
	return append(environ, "PATH=/usr/bin:/bin", "HOME=/home/me")
}

func wanted() []string {
	return []string{
		"AWS_CA_BUNDLE=/state dir/it's/ca.pem", "AWS_CONFIG_FILE=/state dir/it's/config", "AWS_DEFAULT_REGION=eu-west-2",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=eu-west-2", "AWS_SHARED_CREDENTIALS_FILE=/state dir/it's/credentials",
		"HOME=/home/me", "HTTPS_PROXY=http://127.0.0.1:4566", "LOCALAWS_DIR=/state dir/it's",
		"NODE_EXTRA_CA_CERTS=/state dir/it's/ca.pem", "NODE_USE_ENV_PROXY=1", "NO_PROXY=localhost,127.0.0.1,::1",
		"PATH=/usr/bin:/bin", "REQUESTS_CA_BUNDLE=/state dir/it's/ca-bundle.pem", "SSL_CERT_FILE=/state dir/it's/ca-bundle.pem",
		"https_proxy=http://127.0.0.1:4566", "no_proxy=localhost,127.0.0.1,::1",
	}
}

func environment() localaws.Environment {
	return localaws.Files{Dir: "/state dir/it's"}.Environment("127.0.0.1:4566", "eu-west-2")
}

func TestEnvironmentOverHostileOne(t *testing.T) {
	applied := environment().Apply(hostile())
	slices.Sort(applied)
	if !slices.Equal(applied, wanted()) {
		t.Errorf("got %q\nwant %q", applied, wanted())
	}
}

// TestShellOverHostileEnvironment evaluates the output in a real shell.
func TestShellOverHostileEnvironment(t *testing.T) {
	shell := exec.Command("sh", "-c", environment().Shell(hostile())+"unset PWD OLDPWD SHLVL _; /usr/bin/env")
	shell.Env = hostile()
	output, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	var got []string
	for line := range strings.Lines(string(output)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "PWD=") && !strings.HasPrefix(line, "_=") {
			got = append(got, line)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, wanted()) {
		t.Errorf("got %q\nwant %q", got, wanted())
	}
}

// TestInverse checks that leaving unsets every variable that was set, and the endpoints on
// this machine that somebody set meanwhile. Other endpoints stay.
func TestInverse(t *testing.T) {
	stays := []string{"HOME=/home/me", "AWS_ENDPOINT_URL_S3=https://minio.example.com", "AWS_ENDPOINT_URL_SNS=http://[::2]", "AWS_ENDPOINT_URL_SQS=:"}
	in := append(environment().Apply(nil), stays...)
	in = append(in, "AWS_ENDPOINT_URL_STS=http://127.0.0.1:4566", "AWS_ENDPOINT_URL=http://localhost:4566", "AWS_ENDPOINT_URL_EKS=http://[::1]:4566")
	if left := environment().Inverse().Apply(in); !slices.Equal(left, stays) {
		t.Errorf("%q remain, want %q", left, stays)
	}
}

// TestShellRunsNothing checks that names and values of the environment do not run as
// code.
func TestShellRunsNothing(t *testing.T) {
	text := environment().Shell([]string{"AWS_ENDPOINT_URL_$(touch x)=1", "AWS_ENDPOINT_URL;ls=2", "AWS_ENDPOINT_URL_S3=$(ls)"})
	if strings.Contains(text, "touch") || strings.Contains(text, ";") || !strings.Contains(text, "AWS_ENDPOINT_URL_S3") {
		t.Error(text)
	}
}

func TestFiles(t *testing.T) {
	files := localaws.Files{Dir: t.TempDir()}
	if key, err := files.Administrator(); err != nil || key != (localaws.AccessKey{}) {
		t.Errorf("%v, %v", key, err)
	}
	a, err := localaws.New(localaws.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Write(a); err != nil {
		t.Fatal(err)
	}
	if err := files.WriteDefault(localaws.AccessKey{ID: "AKIABOB", Secret: "secret"}); err != nil {
		t.Fatal(err)
	}
	if key, err := files.Administrator(); err != nil || key != a.Administrator() {
		t.Errorf("%v, %v", key, err)
	}
}

// TestFilesKeepTheUsersProfiles checks that a write keeps the profiles that the user added,
// and no section of its own twice.
func TestFilesKeepTheUsersProfiles(t *testing.T) {
	files := localaws.Files{Dir: t.TempDir()}
	a, err := localaws.New(localaws.Config{})
	must(t, err)
	must(t, files.Write(a))
	const credentials = "[alice]\naws_access_key_id = AKIAALICE\n# hers\naws_secret_access_key = secret\n"
	const config = "[profile alice]\nregion = eu-north-1\n[sso-session corp]\nsso_region = eu-west-1" // no end of line
	for path, text := range map[string]string{files.Credentials(): credentials + "[admin-999999999999]\naws_access_key_id = OLD\n", files.Config(): config} {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = file.WriteString(text)
		must(t, errors.Join(err, file.Close()))
	}
	for _, write := range []func() error{
		func() error { return files.Write(a) },
		func() error { return files.Write(a) },
		func() error { return files.WriteDefault(a.Administrator()) },
	} {
		must(t, write())
		for path, want := range map[string]string{files.Credentials(): credentials, files.Config(): config} {
			text, err := os.ReadFile(path)
			must(t, err)
			if !strings.HasSuffix(string(text), "\n\n"+want) || strings.Contains(string(text), "OLD") ||
				strings.Count(string(text), "[default]") != 1 || strings.Count(string(text), "admin]") != 1 {
				t.Errorf("%s is\n%s", path, text)
			}
		}
	}
	if key, err := files.Administrator(); err != nil || key != a.Administrator() {
		t.Errorf("%v, %v", key, err)
	}
}

// TestFilesReplaceLinks checks that a write follows no link, and that its files are private.
func TestFilesReplaceLinks(t *testing.T) {
	files := localaws.Files{Dir: t.TempDir()}
	a, err := localaws.New(localaws.Config{})
	must(t, err)
	victim := filepath.Join(t.TempDir(), "victim")
	must(t, os.WriteFile(victim, []byte("victim"), 0o600))
	_, err = files.LoadOrCreateCA(time.Now())
	must(t, err)
	address := filepath.Join(files.Dir, "address")
	for _, path := range []string{files.ControlSecret(), files.Bundle()} {
		must(t, os.Symlink(victim, path))
	}
	for _, path := range []string{files.Config(), files.Credentials(), address} {
		must(t, os.WriteFile(path, nil, 0o644))
	}
	must(t, files.Write(a))
	must(t, files.Announce("127.0.0.1:4566"))
	if text, err := os.ReadFile(victim); err != nil || string(text) != "victim" {
		t.Errorf("the target of the link is %q, %v", text, err)
	}
	for _, path := range []string{files.ControlSecret(), files.Bundle(), files.Config(), files.Credentials(), address} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestFilesOfSeveralAccounts checks that each account has a profile, which keeps its
// key when the default changes.
func TestFilesOfSeveralAccounts(t *testing.T) {
	files := localaws.Files{Dir: t.TempDir()}
	a, err := localaws.New(localaws.Config{AccountID: account, Accounts: []localaws.Account{{ID: otherAccount}}})
	must(t, err)
	must(t, files.Write(a))
	must(t, files.WriteDefault(localaws.AccessKey{ID: "AKIABOB", Secret: "secret"}))
	for _, one := range a.Accounts() {
		if key, err := files.AdministratorOf(one.ID); err != nil || key != one.Administrator {
			t.Errorf("%s: %v, %v", one.ID, key, err)
		}
	}
	if key, err := files.AdministratorOf("999999999999"); err != nil || key != (localaws.AccessKey{}) {
		t.Errorf("%v, %v", key, err)
	}
	text, err := os.ReadFile(files.Credentials())
	must(t, err)
	var sections []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "[") {
			sections = append(sections, strings.TrimSpace(line))
		}
	}
	if got := strings.Join(sections, " "); got != "[default] [admin] [admin-"+otherAccount+"]" {
		t.Error(got)
	}
}
