package ec2names_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/kube-iam/authenticator/internal/ec2names"
)

// fakeEC2 answers a call after delay, with its instances as they were when the call
// arrived.
type fakeEC2 struct {
	mu        sync.Mutex
	instances map[string]types.Instance
	calls     [][]string
	err       error
	delay     time.Duration
	// hangs reports whether a call for these instances never returns.
	hangs func(ids []string) bool
	// noClient is the error of creating a client.
	noClient error
}

func (f *fakeEC2) DescribeInstances(ctx context.Context, input *ec2.DescribeInstancesInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	f.mu.Lock()
	ids := input.Filters[0].Values
	f.calls = append(f.calls, slices.Sorted(slices.Values(ids)))
	output := &ec2.DescribeInstancesOutput{}
	for _, id := range ids {
		if instance, ok := f.instances[id]; ok {
			output.Reservations = append(output.Reservations, types.Reservation{Instances: []types.Instance{instance}})
		}
	}
	err, delay := f.err, f.delay
	if f.hangs != nil && f.hangs(ids) {
		delay = time.Hour
	}
	f.mu.Unlock()
	select {
	case <-time.After(delay):
		return output, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// runs makes an instance run under a name.
func (f *fakeEC2) runs(n int, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.instances == nil {
		f.instances = map[string]types.Instance{}
	}
	f.instances[id(n)] = types.Instance{
		InstanceId: aws.String(id(n)), PrivateDnsName: aws.String(name), LaunchTime: aws.Time(time.Now()),
		State: &types.InstanceState{Name: types.InstanceStateNameRunning},
	}
}

// becomes changes the state of an instance. The instance keeps its name, as in EC2,
// which removes it only later.
func (f *fakeEC2) becomes(n int, state types.InstanceStateName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	instance := f.instances[id(n)]
	instance.State = &types.InstanceState{Name: state}
	f.instances[id(n)] = instance
}

func (f *fakeEC2) fails(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeEC2) takes(delay time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = delay
}

func (f *fakeEC2) hasNoClient(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noClient = why
}

func (f *fakeEC2) whyNoClient() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.noClient
}

func (f *fakeEC2) isDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hangs = func([]string) bool { return down }
}

func (f *fakeEC2) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

func resolver(t *testing.T, f *fakeEC2) *ec2names.Resolver {
	t.Helper()
	return configured(t, f, ec2names.Config{})
}

func configured(t *testing.T, f *fakeEC2, config ec2names.Config) *ec2names.Resolver {
	t.Helper()
	config.Client = func(context.Context) (ec2.DescribeInstancesAPIClient, error) { return f, f.whyNoClient() }
	r, err := ec2names.New(config)
	if err != nil {
		t.Fatal(err)
	}
	// A goroutine that outlives the longest call makes synctest fail the test.
	t.Cleanup(func() { time.Sleep(9 * time.Second) })
	return r
}

func id(n int) string { return fmt.Sprintf("i-%017x", n) }

// wantName fails the test unless an instance has a name.
func wantName(t *testing.T, r *ec2names.Resolver, n int, want string) {
	t.Helper()
	if name, err := r.PrivateDNSName(t.Context(), id(n)); name != want || err != nil {
		t.Errorf("instance %d: %q, %v, want %q", n, name, err, want)
	}
}

// wantNoName fails the test unless the error is ErrNoName.
func wantNoName(t *testing.T, r *ec2names.Resolver, n int) {
	t.Helper()
	if name, err := r.PrivateDNSName(t.Context(), id(n)); name != "" || !errors.Is(err, ec2names.ErrNoName) {
		t.Errorf("instance %d: %q, %v, want ErrNoName", n, name, err)
	}
}

// wantUnknown fails the test unless the name of an instance is unknown, with an
// error that contains all the parts.
func wantUnknown(t *testing.T, r *ec2names.Resolver, n int, parts ...string) {
	t.Helper()
	name, err := r.PrivateDNSName(t.Context(), id(n))
	if name != "" || err == nil || errors.Is(err, ec2names.ErrNoName) {
		t.Errorf("instance %d: %q, %v, want an error that is not ErrNoName", n, name, err)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("instance %d: error %q does not say %q", n, err, part)
		}
	}
}

// TestFleet starts 250 nodes at once. Each asks four times.
func TestFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		for n := range 250 {
			f.runs(n, fmt.Sprintf("ip-%d", n))
		}
		r := resolver(t, f)
		var all sync.WaitGroup
		for n := range 1000 {
			all.Go(func() { wantName(t, r, n%250, fmt.Sprintf("ip-%d", n%250)) })
		}
		all.Wait()
		if len(f.calls) != 3 {
			t.Errorf("%d calls, want 3 of up to 100 instances", len(f.calls))
		}
		for _, call := range f.calls {
			if len(call) > 100 || len(slices.Compact(call)) != len(call) {
				t.Errorf("a call asks for %d instances, %d different", len(call), len(slices.Compact(call)))
			}
		}
	})
}

// TestCluster checks the numbers of the package's comment, with 1,000 nodes that each
// have a token review every two minutes.
func TestCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes, every, settled, end = 1000, 2 * time.Minute, 5 * time.Minute, 25 * time.Minute
		f := &fakeEC2{delay: 200 * time.Millisecond}
		for n := range nodes {
			f.runs(n, fmt.Sprintf("ip-%d", n))
		}
		r := resolver(t, f)
		started := time.Now()
		random := rand.New(rand.NewPCG(1, 2))
		var all sync.WaitGroup
		var before int
		var lookups, waits atomic.Int64
		all.Go(func() { time.Sleep(settled); before = f.asked() })
		for n := range nodes {
			first := time.Duration(random.Int64N(int64(every)))
			all.Go(func() {
				for time.Sleep(first); time.Since(started) < end; time.Sleep(every) {
					asked := time.Now()
					wantName(t, r, n, fmt.Sprintf("ip-%d", n))
					if time.Since(started) < settled {
						continue
					}
					lookups.Add(1)
					if time.Since(asked) > 0 {
						waits.Add(1)
					}
				}
			})
		}
		all.Wait()
		perSecond := float64(f.asked()-before) / (end - settled).Seconds()
		t.Logf("%.2f calls a second; %d of %d lookups waited", perSecond, waits.Load(), lookups.Load())
		if perSecond > 0.5 || waits.Load()*100 > lookups.Load() {
			t.Errorf("%.2f calls a second, %d of %d lookups waited; want at most 0.5 calls, and 1%% of lookups", perSecond, waits.Load(), lookups.Load())
		}
	})
}

// TestAge checks that a name is first cached, then renewed in the background, and
// then waited for.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const delay = 5 * time.Second
		f := &fakeEC2{delay: delay}
		f.runs(1, "one")
		started := time.Now()
		r := resolver(t, f)
		ask := func(at, waits time.Duration, calls int) {
			t.Helper()
			time.Sleep(at - time.Since(started))
			wantName(t, r, 1, "one")
			waited := time.Since(started) - at
			synctest.Wait()
			time.Sleep(25 * time.Millisecond) // The window of a call in the background.
			if waited.Truncate(time.Second) != waits || f.asked() != calls {
				t.Errorf("at %s: waits %s, %d calls; want %s and %d", at, waited, f.asked(), waits, calls)
			}
		}
		ask(0, delay, 1)
		// The age counts from the call, at 20 ms, and not from its answer at 5 s.
		ask(30*time.Second, 0, 1)
		ask(30*time.Second+50*time.Millisecond, 0, 2)
		ask(60*time.Second, 0, 2)
		ask(80*time.Second, 0, 3)
		ask(130*time.Second+100*time.Millisecond, delay, 4)
	})
}

// TestStopped checks that an instance that stops right after EC2 confirmed its name
// has none a minute later, however often it is looked up and however slow EC2 is.
func TestStopped(t *testing.T) {
	for _, state := range []types.InstanceStateName{
		types.InstanceStateNameStopping, types.InstanceStateNameStopped,
		types.InstanceStateNameShuttingDown, types.InstanceStateNameTerminated,
	} {
		for _, delay := range []time.Duration{0, 7 * time.Second} {
			for _, every := range []time.Duration{time.Second, 29 * time.Second, 49 * time.Second, 61 * time.Second, 2 * time.Minute} {
				t.Run(fmt.Sprintf("%s, calls of %s, every %s", state, delay, every), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f := &fakeEC2{delay: delay}
						f.runs(1, "one")
						r := resolver(t, f)
						stopped := time.Now().Add(30 * time.Millisecond) // The call is made after 20 ms.
						time.AfterFunc(time.Until(stopped), func() { f.becomes(1, state) })
						wantName(t, r, 1, "one")
						for next := every; next < 5*time.Minute; next += every {
							time.Sleep(next - time.Since(stopped))
							name, err := r.PrivateDNSName(t.Context(), id(1))
							if time.Since(stopped) > time.Minute && !errors.Is(err, ec2names.ErrNoName) {
								t.Errorf("%s after it stopped: %q, %v", time.Since(stopped), name, err)
							}
						}
					})
				})
			}
		}
	}
}

// TestStates checks that no state gives an empty name, which would map to
// system:node: without a name.
func TestStates(t *testing.T) {
	states := types.InstanceStateName("").Values()
	if len(states) != 6 {
		t.Fatalf("EC2 has the states %v: decide which of them run", states)
	}
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		r := resolver(t, f)
		for n, state := range states {
			f.runs(n, "name")
			f.becomes(n, state)
			if state == types.InstanceStateNamePending || state == types.InstanceStateNameRunning {
				wantName(t, r, n, "name")
			} else {
				wantNoName(t, r, n)
			}
			f.becomes(n, types.InstanceStateNameTerminated)
		}
		f.runs(7, "")
		wantNoName(t, r, 7)
		f.instances[id(8)] = types.Instance{InstanceId: aws.String(id(8)), PrivateDnsName: aws.String("stateless")}
		wantNoName(t, r, 8)
		wantNoName(t, r, 9)
	})
}

func TestMissesAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		r := resolver(t, f)
		wantNoName(t, r, 1)
		wantNoName(t, r, 1)
		if f.asked() != 1 {
			t.Errorf("%d calls, want 1", f.asked())
		}
		f.runs(1, "one") // EC2 reports it now.
		time.Sleep(11 * time.Second)
		wantName(t, r, 1, "one")
	})
}

// TestRestarted checks that an instance that stops and starts again gets its name
// back.
func TestRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(1, "one")
		r := resolver(t, f)
		wantName(t, r, 1, "one")
		f.becomes(1, types.InstanceStateNameStopped)
		time.Sleep(51 * time.Second)
		wantNoName(t, r, 1)
		f.becomes(1, types.InstanceStateNamePending)
		time.Sleep(11 * time.Second)
		wantName(t, r, 1, "one")
	})
}

// TestFailuresKeepNames checks that instances keep their names for ten minutes
// however EC2 fails. After that a name is unknown, which is not a denial.
func TestFailuresKeepNames(t *testing.T) {
	for name, fail := range map[string]func(f *fakeEC2){
		"no client": func(f *fakeEC2) { f.hasNoClient(errors.New("no credentials")) },
		"error":     func(f *fakeEC2) { f.fails(errors.New("connection refused")) },
		"throttle":  func(f *fakeEC2) { f.fails(errors.New("RequestLimitExceeded")) },
		"time-out":  func(f *fakeEC2) { f.isDown(true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeEC2{}
				f.runs(1, "one")
				r := resolver(t, f)
				started := time.Now()
				wantName(t, r, 1, "one")
				f.becomes(1, types.InstanceStateNameTerminated)
				fail(f)
				for time.Since(started) < 10*time.Minute-10*time.Second {
					wantName(t, r, 1, "one")
					time.Sleep(7 * time.Second)
				}
				time.Sleep(10*time.Minute + 20*time.Millisecond - time.Since(started))
				wantUnknown(t, r, 1)
				wantUnknown(t, r, 2)

				f.hasNoClient(nil)
				f.fails(nil)
				f.isDown(false)
				time.Sleep(10 * time.Second) // A call that hangs times out.
				wantNoName(t, r, 1)
			})
		})
	}
}

// TestFailuresAreNotAnswers checks that lookups use EC2 within ten seconds after it
// answers again.
func TestFailuresAreNotAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(1, "one")
		r := resolver(t, f)
		wantName(t, r, 1, "one")
		f.becomes(1, types.InstanceStateNameTerminated)
		f.fails(errors.New("broken"))
		time.Sleep(2 * time.Minute)
		wantName(t, r, 1, "one")
		f.fails(nil)
		time.Sleep(10 * time.Second)
		wantNoName(t, r, 1)
	})
}

// TestFailuresDelayOnce checks that while EC2 hangs, one lookup waits for it, and the
// others return at once.
func TestFailuresDelayOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(1, "one")
		r := resolver(t, f)
		wantName(t, r, 1, "one")
		f.isDown(true)
		time.Sleep(time.Minute)
		started := time.Now()
		wantName(t, r, 1, "one")
		if waited := time.Since(started); waited < 8*time.Second || waited > 9*time.Second {
			t.Errorf("the first waits %s, want 8 s", waited)
		}
		for range 60 {
			asked := time.Now()
			wantName(t, r, 1, "one")
			if waited := time.Since(asked); waited > 0 {
				t.Errorf("waits %s", waited)
			}
			time.Sleep(time.Second)
		}
	})
}

// TestDeadline checks that a caller's deadline counts as a failure of EC2.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(1, "one")
		r := resolver(t, f)
		wantName(t, r, 1, "one")
		f.isDown(true)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if name, err := r.PrivateDNSName(ctx, id(1)); name != "one" || err != nil {
			t.Errorf("%q, %v", name, err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if name, err := r.PrivateDNSName(ctx, id(2)); name != "" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%q, %v", name, err)
		}
	})
}

// TestCallerWhoHangsUp checks that a caller who hangs up fails no other.
func TestCallerWhoHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(1, "one")
		r := resolver(t, f)
		hasty, hangUp := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := r.PrivateDNSName(hasty, id(1)); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want context.Canceled", err)
			}
		})
		synctest.Wait()
		all.Go(func() { wantName(t, r, 1, "one") })
		synctest.Wait()
		hangUp()
		all.Wait()
	})
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &fakeEC2{}
		r := configured(t, f, ec2names.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		wantNoName(t, r, 1)
		f.fails(errors.New("broken"))
		wantUnknown(t, r, 2, "broken")
		wantUnknown(t, r, 2, "broken")
		f.fails(nil)
		wantNoName(t, r, 2)
		wantNoName(t, r, 3)
		synctest.Wait() // The line is written after the lookup returns.
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "broken") || !strings.Contains(lines[1], "level=INFO") {
			t.Errorf("%s", log.String())
		}
	})
}

func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observed := 0
		r := configured(t, &fakeEC2{}, ec2names.Config{Observe: func() { observed++ }})
		wantNoName(t, r, 1)
		wantNoName(t, r, 2)
		if observed != 2 {
			t.Errorf("%d calls observed, want 2", observed)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	if _, err := ec2names.New(ec2names.Config{}); err == nil {
		t.Error("New accepts a config without a client")
	}
}
