package backendmode_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/internal/backendmode"
	"github.com/kube-iam/authenticator/internal/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func document(modes string) string {
	return fmt.Sprintf(`{"Version": "1", "LastUpdatedDateTime": "1700000000", "backendMode": %q}`, modes)
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		document("DynamicFile EKSConfigMap"):         "[DynamicFile EKSConfigMap]",
		document(" DynamicFile  "):                   "[DynamicFile]",
		`{"BACKENDMODE": "CRD", "else": 1}`:          "[CRD]",
		document(""):                                 "backendMode is empty",
		`{}`:                                         "backendMode is empty",
		`{"backendMode": ["A"]}`:                     "expected JSON with backendMode",
		"backendMode: A":                             "expected JSON with backendMode",
		document(strings.Repeat("DynamicFile ", 17)): "names 17 backends (at most 16)",
	} {
		mode, err := backendmode.Parse([]byte(text))
		got := fmt.Sprint(mode.Names())
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// FuzzParse checks that no file makes the server panic, and that the modes are bounded.
func FuzzParse(f *testing.F) {
	f.Add(document("DynamicFile EKSConfigMap"))
	f.Add(`{"backendMode": null}`)
	f.Fuzz(func(t *testing.T, text string) {
		mode, err := backendmode.Parse([]byte(text))
		if n := len(mode.Names()); err == nil && (n == 0 || n > 16) {
			t.Errorf("%d backends", n)
		}
	})
}

// TestFile follows a file through good and bad versions, removals and failed switches.
func TestFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := sourcetest.NewFile(t, document("DynamicFile"))
		var log strings.Builder
		var mu sync.Mutex // a timer that fires orders nothing for the race detector
		var updates, failures int
		count := func(n *int) { mu.Lock(); defer mu.Unlock(); *n++ }
		file := backendmode.New(t.Context(), backendmode.Config{
			Path: f.Path, Default: []string{"MountedFile"}, Watch: f.Watch, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Check: func(modes []string) error {
				if slices.Contains(modes, "Unknown") {
					return errors.New("unknown backend")
				}
				return nil
			},
			Updated: func(string) { count(&updates) }, Failed: func() { count(&failures) },
		})
		if got := fmt.Sprint(file.Backends()); got != "[DynamicFile]" {
			t.Errorf("it starts with %s", got)
		}
		inForce, broken := "", false
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			file.Run(ctx, func(_ context.Context, modes []string) error {
				mu.Lock()
				defer mu.Unlock()
				if broken {
					return errors.New("source A is not read yet")
				}
				inForce = strings.Join(modes, " ")
				return nil
			})
		})
		defer running.Wait()
		defer stop()
		f.Await()
		expect := func(what, mode string, updated, failed int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if inForce != mode || updates != updated || failures != failed {
				t.Errorf("%s: %q in force, %d updates, %d failures; want %q, %d, %d", what, inForce, updates, failures, mode, updated, failed)
			}
		}
		expect("the file of the start", "", 0, 0) // it is in force already
		f.Write(document("DynamicFile EKSConfigMap"))
		expect("another mode", "DynamicFile EKSConfigMap", 1, 0)
		f.Write(document("DynamicFile  EKSConfigMap"))
		expect("the same mode", "DynamicFile EKSConfigMap", 2, 0)
		f.Write(document("Unknown"))
		expect("an unknown mode", "DynamicFile EKSConfigMap", 2, 1)
		f.Write("{")
		expect("half a file", "DynamicFile EKSConfigMap", 2, 2)
		f.Remove()
		expect("no file", "MountedFile", 2, 2)
		breakSources := func(isBroken bool) { mu.Lock(); defer mu.Unlock(); broken = isBroken }
		breakSources(true)
		f.Write(document("EKSConfigMap"))
		expect("a source that cannot be read", "MountedFile", 2, 3)
		breakSources(false)
		time.Sleep(11 * time.Second)
		expect("the next attempt", "EKSConfigMap", 3, 3)
		if got := log.String(); !strings.Contains(got, "unknown backend") || !strings.Contains(got, "source A is not read yet") || !strings.Contains(got, "does not exist") {
			t.Errorf("log %s", got)
		}
	})
}

// TestStart checks the backends that a server starts with.
func TestStart(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{document("A B"): "[A B]", "{": "[MountedFile]", "": "[MountedFile]", document("Bad"): "[MountedFile]"} {
		f := sourcetest.NewFile(t, content)
		file := backendmode.New(t.Context(), backendmode.Config{Path: f.Path, Default: []string{"MountedFile"}, Check: func(modes []string) error {
			if modes[0] == "Bad" {
				return errors.New("unknown backend")
			}
			return nil
		}})
		if got := fmt.Sprint(file.Backends()); got != want {
			t.Errorf("%q: %s, want %s", content, got, want)
		}
	}
}

// TestReread changes a file on a file system that reports no changes, and has it read at
// once.
func TestReread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := sourcetest.NewFile(t, document("DynamicFile"))
		file := backendmode.New(t.Context(), backendmode.Config{
			Path: f.Path, Default: []string{"MountedFile"}, Watch: f.Watch, Check: func([]string) error { return nil },
		})
		switched := make(chan string, 1)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			file.Run(ctx, func(_ context.Context, modes []string) error { switched <- fmt.Sprint(modes); return nil })
		})
		defer running.Wait()
		defer stop()
		f.Await()
		f.Change(document("CRD"))
		f.Await()
		select {
		case mode := <-switched:
			t.Fatalf("%s is in force before the file was read again", mode)
		default:
		}
		file.Reread()
		f.Await()
		select {
		case mode := <-switched:
			if mode != "[CRD]" {
				t.Errorf("%s is in force, want CRD", mode)
			}
		default:
			t.Error("the file was not read again")
		}
	})
}
