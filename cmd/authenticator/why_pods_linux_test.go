package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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
	if err := os.WriteFile(kubectl, []byte("#!/bin/sh\nsleep 20 &\necho answer\n[ \"$3\" = get ] || sleep 20\n"), 0o700); err != nil {
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
			output, err := (&podOptions{}).kubectl(ctx, kubectl, verb)
			if !errors.Is(err, want) || want == nil && string(output) != "answer\n" || time.Since(started) > 15*time.Second {
				t.Errorf("%q, %v after %s, want %v", output, err, time.Since(started), want)
			}
		})
	}
}
