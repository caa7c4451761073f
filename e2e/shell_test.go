//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// A shell is one person at a terminal: an environment, a home and files of their
// own. It runs commands as typed.
type shell struct {
	t           *testing.T
	lab         *lab.Lab
	dir         string
	environment map[string]string
}

// newShell returns a shell that evaluated "$(lab env)" and uses the given `aws`. It
// has its own copies of the AWS files and the kubeconfig.
func newShell(t *testing.T, aws string) *shell {
	t.Helper()
	return newShellIn(t, suite, aws)
}

func newShellIn(t *testing.T, l *lab.Lab, aws string) *shell {
	t.Helper()
	s := &shell{t: t, lab: l, dir: t.TempDir(), environment: environmentOf(l)}
	for name, path := range filesOf(l) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s.set(name, s.write(name, string(content)))
	}
	s.set("HOME", s.dir)
	bin := filepath.Join(s.dir, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(aws, filepath.Join(bin, "aws")); err != nil {
		t.Fatal(err)
	}
	s.set("PATH", bin+string(os.PathListSeparator)+s.environment["PATH"])
	return s
}

// hideAWS gives the shell the programs that the story needs, without an AWS CLI.
func (s *shell) hideAWS() {
	s.t.Helper()
	bin := filepath.Join(s.dir, "without-aws")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{"sh", "cat"} {
		path, err := exec.LookPath(name)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			s.t.Fatal(err)
		}
	}
	s.set("PATH", bin)
}

// environmentOf returns this process's environment with the lab's applied.
func environmentOf(l *lab.Lab) map[string]string {
	environment := map[string]string{}
	for _, variable := range l.Info().Environ(os.Environ()) {
		name, value, _ := strings.Cut(variable, "=")
		environment[name] = value
	}
	return environment
}

// filesOf returns the lab's files that aws and kubectl change, by the variables that
// name them.
func filesOf(l *lab.Lab) map[string]string {
	environment, files := environmentOf(l), map[string]string{}
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "KUBECONFIG"} {
		files[name] = environment[name]
	}
	return files
}

// leadByEndpointURL makes the shell use the local AWS through AWS_ENDPOINT_URL
// instead of the proxy. An unreachable proxy blocks everything else from the real
// AWS.
func (s *shell) leadByEndpointURL() {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		s.set(name, "http://127.0.0.1:1")
	}
	delete(s.environment, "AWS_CA_BUNDLE")
	s.set("AWS_ENDPOINT_URL", s.lab.Info().AWS)
}

// profile adds a profile to the shell's AWS configuration.
func (s *shell) profile(text string) {
	s.t.Helper()
	file, err := os.OpenFile(s.environment["AWS_CONFIG_FILE"], os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("\n" + text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shell) set(name, value string) { s.environment[name] = value }

// write writes a file into the shell's directory and returns its path.
func (s *shell) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

type result struct {
	stdout, stderr string
	err            error
}

// typedTimeout bounds a command; lab up takes the longest.
const typedTimeout = 3 * time.Minute

// command returns the typed command, ready to run in the shell's environment.
func (s *shell) command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = s.dir
	for _, name := range slices.Sorted(maps.Keys(s.environment)) {
		command.Env = append(command.Env, name+"="+s.environment[name])
	}
	return command
}

// try runs what is typed, with answers to its prompts, and returns the result.
func (s *shell) try(typed string, answers ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), typedTimeout)
	defer cancel()
	command := s.command(ctx, "sh", "-c", typed)
	command.Stdin = strings.NewReader(strings.Join(answers, "\n") + "\n")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	return result{stdout.String(), stderr.String(), err}
}

// run runs what is typed; it must succeed.
func (s *shell) run(typed string, answers ...string) string {
	s.t.Helper()
	r := s.try(typed, answers...)
	if r.err != nil {
		s.t.Fatalf("$ %s\n%s%s%v\nthe authenticator's log:\n%s", typed, r.stdout, r.stderr, r.err, s.authenticatorLog())
	}
	return r.stdout
}

// runOnTerminal runs what is typed on its own terminal, and types an answer after
// the prompt. It must succeed; runOnTerminal returns what the terminal showed.
func (s *shell) runOnTerminal(typed, prompt, answer string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), typedTimeout)
	defer cancel()
	command := s.command(ctx, "script", "--quiet", "--return", "--command", typed, os.DevNull)
	keyboard, err := command.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	screen, err := command.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	var shown strings.Builder
	part, asked := make([]byte, 4096), false
	for err == nil {
		var n int
		n, err = screen.Read(part)
		shown.Write(part[:n])
		if !asked && strings.Contains(shown.String(), prompt) {
			asked = true
			if _, err := io.WriteString(keyboard, answer+"\n"); err != nil {
				s.t.Error(err)
			}
		}
	}
	if err := command.Wait(); err != nil || !asked {
		s.t.Fatalf("$ %s\n%s\nprompted with %q: %v (%v)\nthe authenticator's log:\n%s", typed, shown.String(), prompt, asked, err, s.authenticatorLog())
	}
	return shown.String()
}

// fails runs what is typed; it must fail and say so with the words given.
func (s *shell) fails(typed, words string) {
	s.t.Helper()
	r := s.try(typed)
	if r.err == nil {
		s.t.Fatalf("$ %s\n%s\nsucceeded, and should have failed with %q", typed, r.stdout, words)
	}
	if !strings.Contains(r.stderr, words) {
		s.t.Fatalf("$ %s\nfailed with %q, and should have with %q", typed, r.stderr, words)
	}
}

// whoami is what the API server says of who is calling.
func (s *shell) whoami(flags string) authenticationv1.UserInfo {
	s.t.Helper()
	var review authenticationv1.SelfSubjectReview
	s.decode("kubectl auth whoami -o json "+flags, &review)
	return review.Status.UserInfo
}

// decode runs what is typed and decodes the JSON that it prints.
func (s *shell) decode(typed string, into any) {
	s.t.Helper()
	output := s.run(typed)
	if err := json.Unmarshal([]byte(output), into); err != nil {
		s.t.Fatalf("$ %s\n%s\nis not JSON: %v", typed, output, err)
	}
}

// refused says that the API server does not let the caller in.
func (s *shell) refused(flags string) {
	s.t.Helper()
	s.fails("kubectl auth whoami "+flags, "Unauthorized")
}

// eventually repeats a check until it holds, for as long as given.
func eventually(t *testing.T, within time.Duration, what string, check func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after %s: not yet %s\nthe authenticator's log:\n%s", within, what, suite.AuthenticatorLog(context.Background()))
		}
	}
}

func (s *shell) authenticatorLog() string { return s.lab.AuthenticatorLog(context.Background()) }

// awsCLIs are the AWS CLIs of this machine: the one on the PATH and Debian's.
func awsCLIs(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, name := range []string{"/usr/bin/aws", "aws"} {
		path, err := exec.LookPath(name)
		if err == nil && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		t.Fatal("no AWS CLI on this machine: install one (Debian's package is awscli)")
	}
	return found
}

// awsCLI1 is an AWS CLI of this machine that is version 1; without one the test
// is skipped.
func awsCLI1(t *testing.T) string {
	t.Helper()
	for _, aws := range awsCLIs(t) {
		output, err := exec.Command(aws, "--version").CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(output), "aws-cli/1.") {
			return aws
		}
	}
	t.Skip("there is no AWS CLI 1 on this machine")
	return ""
}
