package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// assemblerVariable has the test's program be the assembler of images.
const assemblerVariable = "IMAGE_TEST_ASSEMBLER"

func TestMain(m *testing.M) {
	if os.Getenv(assemblerVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A checkout has authenticator.sh, and a go that compiles nothing.
type checkout struct{ dir, compile string }

func newCheckout(t *testing.T) *checkout {
	t.Helper()
	c := &checkout{t.TempDir(), `echo "program for $GOARCH" > "$out"; chmod 755 "$out"`}
	for to, from := range map[string]string{"hack/steps.sh": "../steps.sh", "hack/image/authenticator.sh": "authenticator.sh"} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		c.write(t, to, string(content))
	}
	return c
}

func (c *checkout) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	// A process that another test starts meanwhile would inherit the open file, and no
	// file that is open for writing can be run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
}

// command is authenticator.sh on a machine of amd64.
func (c *checkout) command(t *testing.T, architectures ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "assembler", fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", assemblerVariable, self))
	c.write(t, "go", `#!/bin/sh -e
case $1 in env) echo amd64; exit ;; esac
while [ "$1" != -o ]; do shift; done
out=$2
if [ "${PWD##*/}" = image ]; then cp ../../assembler "$out"; exit; fi
`+c.compile+"\n")
	command := exec.Command(filepath.Join(c.dir, "hack", "image", "authenticator.sh"), architectures...)
	command.Env = append(os.Environ(), "GO="+filepath.Join(c.dir, "go"), "VERSION=v1")
	return command
}

func (c *checkout) build(t *testing.T, architectures ...string) (stdout, stderr string, err error) {
	t.Helper()
	command := c.command(t, architectures...)
	var out, said strings.Builder
	command.Stdout, command.Stderr = &out, &said
	err = command.Run()
	return out.String(), said.String(), err
}

// archives are the names of the archives that there are.
func (c *checkout) archives(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(c.dir, "bin", "images", "*.tar"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// TestAuthenticator: the image is for the architectures that are asked for, and no
// image of an earlier build stays beside it.
func TestAuthenticator(t *testing.T) {
	t.Parallel()
	c := newCheckout(t)
	digests := map[string]string{}
	for _, test := range []struct {
		architectures, archives, platforms []string
	}{
		{[]string{"amd64"}, []string{"authenticator-amd64.tar", "authenticator.tar"}, []string{"linux/amd64", "linux/amd64"}},
		{[]string{"amd64", "arm64"}, []string{"authenticator-amd64.tar", "authenticator-arm64.tar", "authenticator.tar"}, []string{"linux/amd64", "linux/arm64", "linux/amd64,linux/arm64"}},
		{[]string{"arm64"}, []string{"authenticator-arm64.tar"}, []string{"linux/arm64", "linux/arm64"}},
		{[]string{"amd64", "arm64"}, []string{"authenticator-amd64.tar", "authenticator-arm64.tar", "authenticator.tar"}, []string{"linux/amd64", "linux/arm64", "linux/amd64,linux/arm64"}},
	} {
		stdout, stderr, err := c.build(t, test.architectures...)
		if err != nil {
			t.Fatalf("%q: %v\n%s", test.architectures, err, stderr)
		}
		if got := c.archives(t); !slices.Equal(got, test.archives) {
			t.Errorf("%q: there are %q, want %q", test.architectures, got, test.archives)
		}
		var platforms []string
		for i, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
			fields := strings.Fields(line)
			if len(fields) != 4 || fields[0] != "kube-iam/authenticator:v1" {
				t.Fatalf("%q: standard output has %q", test.architectures, line)
			}
			platforms = append(platforms, fields[1])
			image := fmt.Sprint(i < len(test.architectures), fields[1])
			if before := digests[image]; before != "" && before != fields[3] {
				t.Errorf("%q: %s has the digest %s, and had %s", test.architectures, image, fields[3], before)
			}
			digests[image] = fields[3]
		}
		if !slices.Equal(platforms, test.platforms) {
			t.Errorf("%q: the images are for %q, want %q", test.architectures, platforms, test.platforms)
		}
		steps := len(test.architectures) + 2
		for number := 1; number <= steps; number++ {
			if want := fmt.Sprintf("image: %d of %d: ", number, steps); !strings.Contains(stderr, want) {
				t.Errorf("%q: standard error lacks %q:\n%s", test.architectures, want, stderr)
			}
		}
		if !slices.Contains(test.archives, "authenticator.tar") {
			continue
		}
		var contents [][]byte
		for _, name := range []string{"authenticator.tar", "authenticator-amd64.tar"} {
			content, err := os.ReadFile(filepath.Join(c.dir, "bin", "images", name))
			if err != nil {
				t.Fatal(err)
			}
			contents = append(contents, content)
		}
		if !bytes.Equal(contents[0], contents[1]) {
			t.Errorf("%q: authenticator.tar is not that of this machine", test.architectures)
		}
	}
}

func TestAuthenticatorFails(t *testing.T) {
	t.Parallel()
	c := newCheckout(t)
	if _, stderr, err := c.build(t, "amd64"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	c.compile = `echo "main.go:1: no such thing"; exit 1`
	stdout, stderr, err := c.build(t, "amd64")
	if err == nil || stdout != "" {
		t.Errorf("a build that fails prints %q, %v", stdout, err)
	}
	for _, want := range []string{"main.go:1: no such thing\n", "image: 2 of 3: ", "failed after ", "its log is bin/images/log/authenticator"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("standard error lacks %q:\n%s", want, stderr)
		}
	}
	if got := c.archives(t); len(got) > 0 {
		t.Errorf("a build that fails leaves %q", got)
	}
	if _, err := os.Stat(filepath.Join(c.dir, "bin", "images", "authenticator")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a build that fails leaves the layout of an earlier one: %v", err)
	}
	if _, stderr, err := c.build(t); err == nil || !strings.Contains(stderr, "amd64 or arm64") {
		t.Errorf("without an architecture: %v\n%s", err, stderr)
	}
}

// TestAuthenticatorInterrupted: with a build, what it runs ends.
func TestAuthenticatorInterrupted(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(pid int) error{
		"Ctrl-C on a terminal": func(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) },
		"SIGTERM":              func(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCheckout(t)
			c.compile = `echo compiling >&3; sleep 120; echo done >&3`
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			command := c.command(t, "amd64")
			command.ExtraFiles = []*os.File{writer} // descriptor 3, of all that the build runs
			command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			_ = writer.Close()
			lines := bufio.NewReader(reader)
			if line, err := lines.ReadString('\n'); err != nil || line != "compiling\n" {
				t.Fatalf("it says %q, %v", line, err)
			}
			if err := interrupt(command.Process.Pid); err != nil {
				t.Fatal(err)
			}
			if err := reader.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
				t.Errorf("what it runs goes on: it says %q, %v", rest, err)
			}
			if err := command.Wait(); err == nil {
				t.Error("it succeeds")
			}
		})
	}
}
