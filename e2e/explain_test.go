//go:build e2e

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// withAuthenticator puts the authenticator on the shell's PATH.
func withAuthenticator(s *shell) *shell {
	s.t.Helper()
	if err := os.Symlink(suite.Info().Authenticator, filepath.Join(s.dir, "bin", "authenticator")); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// exitCode returns the exit code of a command; 0 if it succeeded.
func (r result) exitCode() int {
	if exit, ok := errors.AsType[*exec.ExitError](r.err); ok {
		return exit.ExitCode()
	}
	return 0
}

// TestUnauthorizedExplained is what a user does about a typo in aws-auth, in four
// commands. The second prints the third.
func TestUnauthorizedExplained(t *testing.T) {
	user := newUser(t, "explained")
	setAWSAuth(t, map[string]string{"mapUsers": "- userarn: arn:aws:iam::231144931069:user/explaned\n  username: explained\n  groups: [people]\n"})
	s := withAuthenticator(signIn(t, ""))
	user.configure(s)

	s.refused("")
	explained := s.try("authenticator explain --as-me --cluster-id kubedemy --context administrator")
	if explained.exitCode() != 3 || !strings.Contains(explained.stdout, "user/explaned") || !strings.Contains(explained.stdout, "mapUsers line 1") {
		t.Fatalf("explain exits with %v, want 3 and the near miss:\n%s%s", explained.err, explained.stdout, explained.stderr)
	}
	lines := strings.Split(strings.TrimSpace(explained.stdout), "\n")
	s.run(strings.TrimSpace(lines[len(lines)-1]))
	becomes(t, s, "explained", "people")
}
