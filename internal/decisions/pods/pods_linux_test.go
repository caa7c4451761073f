package pods

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
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

// TestKubectlLeavesChild checks that a credential plugin that outlives kubectl delays
// neither an answer nor Ctrl-C for long.
func TestKubectlLeavesChild(t *testing.T) {
	t.Parallel()
	kubectl := filepath.Join(t.TempDir(), "kubectl")
	// A process that another test starts meanwhile would inherit the open file, and no
	// file that is open for writing can be run.
	syscall.ForkLock.RLock()
	err := os.WriteFile(kubectl, []byte("#!/bin/sh\nsleep 90 &\necho answer\n[ \"$3\" = get ] || sleep 90\n"), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
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
