// Package labtest gives Go tests a Kubernetes cluster that people and programs sign in to
// with AWS IAM: a real kube-apiserver, or a whole cluster of kind, with a local AWS and
// the authenticator. It needs the go command, but no AWS account. It works in every
// module that requires this one.
package labtest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab"
)

type (
	// Config is what a lab consists of.
	Config = lab.Config
	// User is an IAM user that the lab creates.
	User = lab.User
	// Role is an IAM role that the lab creates.
	Role = lab.Role
	// Mapping maps a user or a role of the lab to a Kubernetes user.
	Mapping = lab.Mapping
)

// ProviderVariable is the environment variable for [lab.Config.Provider].
const ProviderVariable = "LAB_PROVIDER"

// Lab is a lab that runs until its test ends.
type Lab struct {
	*lab.Lab
	t testing.TB
}

// Start brings a lab up for a test. It chooses what the configuration leaves out: the
// provider that LAB_PROVIDER names, a temporary directory, the control plane of
// KUBEBUILDER_ASSETS or else of envtest, and programs that it builds from the same
// version of the module that the test links. Subtests can share a lab. Labs with provider
// kind must not come up at the same time in one process. If an earlier test was killed,
// Start ends its lab.
func Start(t testing.TB, config Config) *Lab {
	t.Helper()
	output := t.Output()
	if config.Progress == nil {
		config.Progress = output
	}
	if config.Provider == "" {
		config.Provider = os.Getenv(ProviderVariable)
	}
	if config.Provider == "" {
		config.Provider = lab.Envtest
	}
	endKilled(t.Context(), output)
	if config.Dir == "" {
		config.Dir = tempDir(t)
	}
	if err := provide(t.Context(), &config, output); err != nil {
		t.Fatalf("labtest: %v", err)
	}
	running, err := lab.Up(t.Context(), config)
	if err != nil {
		t.Fatalf("labtest: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			running.KeepFiles()
		}
		if err := running.Close(); err != nil {
			t.Errorf("labtest: closing the lab: %v", err)
		}
	})
	return &Lab{running, t}
}

// tempPrefix begins the names of the labs' directories.
const tempPrefix = "labtest-"

// endKilled ends the labs of tests that were killed, as by the timeout of go test or by
// Ctrl-C: their programs go on. A lab of another user is not an error, nor is one that
// cannot be ended.
func endKilled(ctx context.Context, output io.Writer) {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*")) // of a pattern that is malformed, there are none
	for _, dir := range dirs {
		if killed, err := lab.EndKilled(ctx, dir, output); !killed || err != nil {
			continue
		}
		fmt.Fprintf(output, "labtest: removed %s, of a test that was killed\n", dir)
		_ = os.RemoveAll(dir)
	}
}

// tempDir returns a directory with a short path, unlike t.TempDir: the path of a Unix
// socket in it has at most about 100 bytes.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", tempPrefix)
	if err != nil {
		t.Fatalf("labtest: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("labtest: the lab's files are in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("labtest: %v", err)
		}
	})
	return dir
}

// User returns a user of the configuration.
func (l *Lab) User(name string) *lab.Caller {
	l.t.Helper()
	return l.caller(l.Lab.User(name))
}

// Role returns a role of the configuration, assumed by the first of its users.
func (l *Lab) Role(name string) *lab.Caller {
	l.t.Helper()
	return l.caller(l.Lab.Role(name))
}

// Administrator returns the administrator of the cluster and of the AWS account.
func (l *Lab) Administrator() *lab.Caller {
	l.t.Helper()
	return l.caller(l.Lab.Administrator())
}

func (l *Lab) caller(caller *lab.Caller, err error) *lab.Caller {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("labtest: %v", err)
	}
	return caller
}
