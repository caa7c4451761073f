package pods

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/decisions"
)

// TestFailedBecause checks that an error has the message of kubectl, but not its log.
func TestFailedBecause(t *testing.T) {
	t.Parallel()
	const log = "E1128 20:53:59.853740   27121 memcache.go:265] \"Unhandled Error\" err=\"refused\"\n"
	for said, want := range map[string]string{
		"": "running kubectl get: exit status 1",
		log + log + "The connection was refused\n": "running kubectl get: exit status 1: The connection was refused",
		"Error: no\nE1 is not a pod\n":             "running kubectl get: exit status 1: Error: no\nE1 is not a pod",
	} {
		if got := failedBecause("get", errors.New("exit status 1"), said).Error(); got != want {
			t.Errorf("%q: %s, want %s", said, got, want)
		}
	}
}

// script returns the path of a kubectl that is a shell script.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubectl")
	// A process that another test starts meanwhile would inherit the open file, and no
	// file that is open for writing can be run.
	syscall.ForkLock.RLock()
	err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHostilePods checks that garbage and endless text of a pod are an error, and that a
// bounded part is read.
func TestHostilePods(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ script, ask, stream string }{
		"garbage":           {`printf '\033[2J'`, `reading its answer: invalid character '\x1b'`, `reading its decisions: invalid character '\x1b'`},
		"another type":      {"echo '{}'", "expected a list of decisions", "the server has stopped"},
		"no decision":       {"echo '[1]'", "decision 1: json: cannot unmarshal number", "cannot unmarshal array"},
		"endless":           {"exec cat /dev/zero", "running kubectl exec: the answer is too large", "the answer is too large"},
		"garbage that ends": {"echo junk; echo no container >&2; exit 7", "running kubectl exec: exit status 7: no container", "invalid character 'j'"},
		"endless errors":    {"head -c 9000000 /dev/zero | tr '\\0' A >&2; exit 7", "exit status 7: AAA", "exit status 7: AAA"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pods, kubectl := &Pods{Timeout: time.Minute}, script(t, test.script+"\n")
			_, err := pods.ask(t.Context(), kubectl, "pod/one", decisions.Query{})
			if err == nil || !strings.Contains(err.Error(), test.ask) || len(err.Error()) > 2*maxSaid {
				t.Errorf("%.3000v, want %s", err, test.ask)
			}
			err = pods.stream(t.Context(), kubectl, "pod/one", decisions.Query{}, func(decisions.Entry) {})
			if err == nil || !strings.Contains(err.Error(), test.stream) || len(err.Error()) > 2*maxSaid {
				t.Errorf("stream: %.3000v, want %s", err, test.stream)
			}
		})
	}
}

// TestHead checks that the limit also holds for io.Copy, which os/exec uses.
func TestHead(t *testing.T) {
	t.Parallel()
	said := &head{limit: 10}
	if _, err := io.Copy(said, io.LimitReader(zeros{}, 1<<20)); err != nil || len(said.text) != 10 {
		t.Errorf("%d bytes, %v", len(said.text), err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestKubectlLeavesChild checks that a credential plugin that outlives kubectl delays
// neither an answer nor Ctrl-C for long.
func TestKubectlLeavesChild(t *testing.T) {
	t.Parallel()
	kubectl := script(t, "sleep 90 &\necho answer\n[ \"$3\" = get ] || sleep 90\n")
	interrupted := errors.New("interrupt signal received")
	for verb, want := range map[string]error{"get": nil, "exec": interrupted} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if want != nil {
				time.AfterFunc(100*time.Millisecond, func() { cancel(interrupted) })
			}
			started := time.Now()
			output, err := (&Pods{Timeout: time.Minute}).kubectl(ctx, kubectl, verb)
			if !errors.Is(err, want) || want == nil && string(output) != "answer\n" || time.Since(started) > time.Minute {
				t.Errorf("%q, %v after %s, want %v", output, err, time.Since(started), want)
			}
		})
	}
}
