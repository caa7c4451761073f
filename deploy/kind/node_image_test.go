package kind_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// builder is what the build of the node image finds on a machine that has all it
// needs: for each program what it does, as shell.
func builder() map[string]string {
	return map[string]string{
		"id":          `echo 0`,
		"nproc":       `echo 2`,
		"apt-get":     `echo http://mirror.test/debian/ bookworm main`,
		"debootstrap": ``,
		"dpkg":        ``,
		"wget":        ``,
		"df":          `printf 'header\n/dev/vda 90000 1 %s 1%% /\n' 9000`,
		"docker":      `case $1 in version) ;; info) echo / ;; *) exit 1 ;; esac`,
		"go":          `case $1 in env) echo /none ;; version) echo go1 ;; list) ;; *) exit 1 ;; esac`,
		// The right to mount is tried with true, and the build begins with build.sh.
		"unshare": `case $* in *build.sh) echo BUILDING ;; esac`,
	}
}

// TestNodeImageNeeds: the build begins when the machine has all that it needs, and
// names everything that is missing, with what helps, before it does anything.
func TestNodeImageNeeds(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the image is built on Linux")
	}
	const absent = "-"
	for name, test := range map[string]struct {
		changed map[string]string
		want    []string // missing, and what helps
	}{
		"nothing":        {},
		"root":           {map[string]string{"id": `echo 1000`}, []string{"root, ", `sudo env "PATH=$PATH" make kind-node-image`}},
		"mounts":         {map[string]string{"unshare": `exit 1`}, []string{"the right to mount", "docker run --privileged"}},
		"Debian":         {map[string]string{"apt-get": absent, "wget": `exit 1`}, []string{"Debian, or", "docker save", "packages of Debian bookworm, from a mirror", "DEBIAN_MIRROR="}},
		"debootstrap":    {map[string]string{"debootstrap": absent}, []string{"debootstrap, ", "apt-get install debootstrap"}},
		"Debian's keys":  {map[string]string{"dpkg": `exit 1`}, []string{"the keys of Debian", "apt-get install debootstrap debian-archive-keyring"}},
		"a mirror":       {map[string]string{"wget": `case $* in *http://mirror.test/debian/dists/bookworm/InRelease) exit 4 ;; esac`}, []string{"from http://mirror.test/debian", "DEBIAN_MIRROR="}},
		"Go":             {map[string]string{"go": absent}, []string{"Go\n", "go.dev/dl"}},
		"modules":        {map[string]string{"go": `case $1 in env) echo /none ;; version) echo go1 ;; *) exit 1 ;; esac`}, []string{"Go modules", "GOPROXY="}},
		"docker":         {map[string]string{"docker": absent}, []string{"the command docker", "apt-get install docker.io"}},
		"an engine":      {map[string]string{"docker": `exit 1`}, []string{"a Docker engine", "DOCKER_HOST="}},
		"space":          {map[string]string{"df": `printf 'header\n/dev/vda 90000 1 %s 1%% /\n' 8000`}, []string{"8500 MiB of free space on /, which has 8000", "go clean -cache"}},
		"several things": {map[string]string{"id": `echo 1000`, "debootstrap": absent, "docker": absent}, []string{"root, ", "debootstrap, ", "the command docker"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			programs := builder()
			maps.Copy(programs, test.changed)
			maps.DeleteFunc(programs, func(_, does string) bool { return does == absent })
			build := exec.Command(filepath.Join("node-image", "build.sh"))
			build.Env = []string{"PATH=" + machine(t, programs)}
			output, err := build.CombinedOutput()
			if began := strings.Contains(string(output), "BUILDING"); began != (test.want == nil) || (err == nil) != began {
				t.Errorf("the build begins: %t (%v), missing is %q:\n%s", began, err, test.want, output)
			}
			missing := missing(string(output))
			for _, words := range test.want {
				if !strings.Contains(missing, words) {
					t.Errorf("%q is not missing:\n%s", words, output)
				}
			}
		})
	}
}

// missing is what the build says is missing, each with the line after it.
func missing(output string) string {
	var found strings.Builder
	remedy := false
	for line := range strings.Lines(output) {
		what := strings.HasPrefix(line, "node image:   missing  ")
		if what || remedy {
			found.WriteString(line)
		}
		remedy = what
	}
	return found.String()
}

// machine is a directory of programs: those given, and what every Debian has.
func machine(t *testing.T, programs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range strings.Fields("bash env uname cat cut awk sed grep find sort xargs tar sha256sum dirname mktemp rm timeout head tail stat") {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("this machine is not like Debian: %v", err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	// A process that another test starts meanwhile would inherit the open files, and no
	// file that is open for writing can be run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for name, does := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!"+filepath.Join(dir, "bash")+"\n"+does+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
