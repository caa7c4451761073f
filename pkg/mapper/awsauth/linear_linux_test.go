package awsauth_test

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// TestReadingIsLinear checks the number of values that a reading looks at, and its CPU
// time: 8,000 users take about as long as 500 users read 16 times. A scan of all
// entries for each entry would take 16 times as long.
func TestReadingIsLinear(t *testing.T) {
	few, many := map[string]string{"mapUsers": users(500)}, map[string]string{"mapUsers": users(8_000)}
	a, b := awsauth.Steps(awsauth.Parse(few, nil, options())), awsauth.Steps(awsauth.Parse(many, nil, options()))
	if a < 500 || b > 16*a {
		t.Errorf("500 users take %d steps, and 8,000 take %d", a, b)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The kernel may count in ticks of 10 ms, so both measurements are long.
	fastest := func(data map[string]string, times int) time.Duration {
		best := time.Hour
		for range 3 {
			start := threadTime(t)
			for range times {
				awsauth.Parse(data, nil, options())
			}
			best = min(best, threadTime(t)-start)
		}
		return best
	}
	if short, long := fastest(few, 16), fastest(many, 1); long > 4*short {
		t.Errorf("500 users read 16 times take %v, and 8,000 take %v", short, long)
	}
}

// TestHostileTextsTakeLittleTime checks that no ConfigMap takes more than 6 times the CPU
// time of one with 8,000 users: the parser compares each tag directive with all previous ones.
func TestHostileTextsTakeLittleTime(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	reading := func(section, text string) time.Duration {
		start := threadTime(t)
		awsauth.Parse(map[string]string{section: text}, nil, options())
		return threadTime(t) - start
	}
	ordinary := reading("mapUsers", users(8_000))
	for name, text := range hostile() {
		if took := reading("mapRoles", text); took > 6*ordinary {
			t.Errorf("%s: reading it takes %v, and 8,000 users take %v", name, took, ordinary)
		}
	}
}

// threadTime returns the CPU time of this thread, so that other work on the machine
// does not count.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	const thisThread = 1 // RUSAGE_THREAD
	var usage syscall.Rusage
	if err := syscall.Getrusage(thisThread, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
