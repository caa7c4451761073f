package localawstest_test

import (
	"context"
	"log"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("PROGRAM") != "" { // the client of TestProgram keeps its connections open
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(runner(func() int {
		defer t.cleanup()
		return m.Run()
	}))
}

type runner func() int

func (r runner) Run() int { return r() }

// t takes the place of a test in the examples.
var t = &example{}

type example struct {
	testing.TB
	cleanups []func()
}

func (e *example) Helper()                   {}
func (e *example) Context() context.Context  { return context.Background() }
func (e *example) Cleanup(f func())          { e.cleanups = append(e.cleanups, f) }
func (e *example) Errorf(f string, a ...any) { log.Printf(f, a...) }
func (e *example) Fatal(a ...any)            { log.Fatal(a...) }

func (e *example) TempDir() string {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (e *example) cleanup() {
	for _, f := range slices.Backward(e.cleanups) {
		f()
	}
	e.cleanups = nil
}
