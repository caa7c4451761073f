//go:build e2e

package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/e2e/internal/document"
	"github.com/kube-iam/authenticator/internal/freeport"
)

// TestDocumentedCommands runs the commands of docs/localaws.md as typed, one after
// the other in one shell.
func TestDocumentedCommands(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "localaws.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := "trap 'kill $!' EXIT\n" + document.Commands(string(page), "")
	dir := t.TempDir()
	output := document.Run(t, script, dir, append(os.Environ(), "HOME="+dir, "XDG_CACHE_HOME="+dir, "AWS_PAGER=", "PATH="+programs(t)+string(os.PathListSeparator)+os.Getenv("PATH")))
	for _, want := range []string{
		"user/administrator", "arn:aws:iam::231144931069:user/alice", "AccessDenied", "iam:ListUsers", "assumed-role/Node/i-",
		"14m0s ahead", "throttle", "users: 1,", "users: 2,", `"EventName": "RunInstances"`,
	} {
		if !strings.Contains(output, want) {
			t.Errorf("nothing says %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", output)
	}
}

// programs returns localaws and an AWS CLI, in a directory. This localaws has its
// own address, so that another may use the default one.
func programs(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	program, err := filepath.Abs(filepath.Join("..", "..", "bin", "localaws"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	wrapper := "#!/bin/sh\nexec '" + program + "' \"$@\" --listen " + address + "\n"
	if err := os.WriteFile(filepath.Join(dir, "localaws"), []byte(wrapper), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/bin/aws", filepath.Join(dir, "aws")); err != nil {
		t.Fatal(err)
	}
	return dir
}
