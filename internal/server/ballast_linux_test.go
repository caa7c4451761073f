package server

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
)

// TestBallast checks that the ballast delays the garbage collector and takes no memory. It
// runs in a process of its own, as the server makes the ballast at its start: memory that
// other tests have used is cleared first, and so becomes resident.
func TestBallast(t *testing.T) {
	const alone = "BALLAST_TEST_ALONE"
	if os.Getenv(alone) == "" {
		command := exec.Command(os.Args[0], "-test.run=^TestBallast$")
		command.Env = append(os.Environ(), alone+"=1")
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	debug.FreeOSMemory() // so that the ballast is the only change
	goal, resident := heapGoal(), residentMemory(t)
	ballast := newBallast()
	runtime.GC()
	if grown := heapGoal() - goal; grown < 3*ballastBytes/2 || grown > 5*ballastBytes/2 {
		t.Errorf("the collector's goal grew by %d KiB, want about %d", grown>>10, 2*ballastBytes>>10)
	}
	if grown := residentMemory(t) - resident; grown > 2<<20 {
		t.Errorf("resident memory grew by %d KiB", grown>>10)
	}
	runtime.KeepAlive(ballast)
}

// heapGoal returns the size of the heap at which the collector runs.
func heapGoal() int {
	sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}

func residentMemory(t *testing.T) (bytes int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "\nVmRSS:")
	if _, err := fmt.Sscan(after, &bytes); err != nil {
		t.Fatal(err)
	}
	return bytes << 10
}
