package program

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

func TestMemoryOf(t *testing.T) {
	t.Parallel()
	now, peak, err := memoryOf(os.Getpid())
	if err != nil || now < 1 || peak < now {
		t.Errorf("%.1f MiB now, %.1f MiB at most, %v", now, peak, err)
	}
	if _, _, err := memoryOf(-1); err == nil {
		t.Error("a process that is not there has memory")
	}
}

func TestLaunch(t *testing.T) {
	t.Parallel()
	var out, stderr bytes.Buffer
	if err := Launch(&out, &stderr, []string{"sleep", "0.02"}); err != nil {
		t.Fatal(err)
	}
	var once Once
	if err := json.Unmarshal(out.Bytes(), &once); err != nil || once.Wall.Milliseconds() < 20 || once.Peak <= 0 {
		t.Errorf("%s: %+v, %v", out.String(), once, err)
	}
	if err := Launch(&out, &stderr, []string{"false"}); err == nil {
		t.Error("a program that fails is measured")
	}
}
