//go:build e2e

package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// nodeScript makes the calls of the AWS SDK for JavaScript.
const nodeScript = "calls.mjs"

// installNode installs the SDK with npm, once for each package-lock.json, and returns
// the directory with the script and the SDK. It needs npm and its registry, or the
// installation of an earlier run.
var installNode = sync.OnceValues(func() (string, error) {
	source := filepath.Join("testdata", "node")
	dir, err := filepath.Abs(filepath.Join("..", "..", "bin", "e2e", "node"))
	if err != nil {
		return "", err
	}
	lock, err := os.ReadFile(filepath.Join(source, "package-lock.json"))
	if err != nil {
		return "", err
	}
	installed, _ := os.ReadFile(filepath.Join(dir, "installed"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.CopyFS(filepath.Join(dir, "new"), os.DirFS(source)); err != nil {
		return "", err
	}
	defer os.RemoveAll(filepath.Join(dir, "new"))
	for _, file := range []string{nodeScript, "package.json", "package-lock.json"} {
		if err := os.Rename(filepath.Join(dir, "new", file), filepath.Join(dir, file)); err != nil {
			return "", err
		}
	}
	if bytes.Equal(installed, lock) {
		return dir, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w: %s", err, output)
	}
	return dir, os.WriteFile(filepath.Join(dir, "installed"), lock, 0o600)
})

// nodeDir returns the directory of the SDK, and skips the test if there is none.
func nodeDir(t *testing.T) string {
	t.Helper()
	dir, err := installNode()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		t.Skip("no Node.js and npm on the PATH: nothing tests the AWS SDK for JavaScript")
	case err != nil:
		t.Skipf("the AWS SDK for JavaScript cannot be installed, so nothing tests it: %v", err)
	}
	return dir
}

// usesProxy reports whether Node.js of a version honors NODE_USE_ENV_PROXY.
func usesProxy(t *testing.T, version string) bool {
	t.Helper()
	var major, minor int
	if _, err := fmt.Sscanf(version, "v%d.%d.", &major, &minor); err != nil {
		t.Fatalf("the version of Node.js is %q: %v", version, err)
	}
	return major >= 24 || major == 22 && minor >= 21
}

// TestNodeProxy checks what docs/localaws.md says about Node.js and the proxy.
// NODE=path tests another Node.js than that on the PATH.
func TestNodeProxy(t *testing.T) {
	dir, node := nodeDir(t), nodeProgram()
	version, err := exec.CommandContext(t.Context(), node, "--version").Output()
	if err != nil {
		t.Skipf("no Node.js: nothing tests its proxy: %v", err)
	}
	l := start(t, byProxy)
	output, err := l.run(client{script: []string{filepath.Join(dir, nodeScript)}}, node, "--fetch", "https://sts.eu-west-2.amazonaws.com/?Action=GetCallerIdentity")
	if err != nil {
		t.Fatal(err)
	}
	want := "fetch ENOTFOUND\nhttps ENOTFOUND\n"
	if usesProxy(t, string(version)) {
		want = "fetch 403\nhttps 403\n" // the local AWS: the call is not signed
	}
	if output != want {
		t.Errorf("Node.js %s: got %q, want %q", version, output, want)
	}
}

func nodeProgram() string {
	if node := os.Getenv("NODE"); node != "" {
		return node
	}
	return "node"
}
