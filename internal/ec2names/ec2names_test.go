package ec2names_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/kube-iam/authenticator/internal/ec2names"
)

// fakeEC2 knows running instances, and counts what it is asked.
type fakeEC2 struct {
	mu    sync.Mutex
	calls [][]string
	names map[string]string
	state types.InstanceStateName
	err   error
}

func (f *fakeEC2) DescribeInstances(ctx context.Context, input *ec2.DescribeInstancesInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ids := input.Filters[0].Values
	f.calls = append(f.calls, slices.Sorted(slices.Values(ids)))
	if f.err != nil {
		return nil, f.err
	}
	output := &ec2.DescribeInstancesOutput{}
	for _, id := range ids {
		if name, ok := f.names[id]; ok {
			output.Reservations = append(output.Reservations, types.Reservation{Instances: []types.Instance{{
				InstanceId: aws.String(id), PrivateDnsName: aws.String(name), State: &types.InstanceState{Name: f.state},
			}}})
		}
	}
	return output, nil
}

func resolver(t *testing.T, f *fakeEC2) *ec2names.Resolver {
	t.Helper()
	if f.state == "" {
		f.state = types.InstanceStateNameRunning
	}
	r, err := ec2names.New(ec2names.Config{Client: func(context.Context) (ec2.DescribeInstancesAPIClient, error) { return f, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func id(n int) string { return fmt.Sprintf("i-%017x", n) }

// TestFleet starts 250 nodes at once, each of which asks four times.
func TestFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{names: map[string]string{}}
		for n := range 250 {
			f.names[id(n)] = fmt.Sprintf("ip-%d", n)
		}
		r := resolver(t, f)
		var all sync.WaitGroup
		for n := range 1000 {
			all.Go(func() {
				if name, err := r.PrivateDNSName(t.Context(), id(n%250)); err != nil || name != fmt.Sprintf("ip-%d", n%250) {
					t.Errorf("%q, %v", name, err)
				}
			})
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

func TestNamesAndMissesAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{names: map[string]string{id(1): "one"}}
		r := resolver(t, f)
		ask := func(n int, want string, calls int) {
			t.Helper()
			name, err := r.PrivateDNSName(t.Context(), id(n))
			if name != want || errors.Is(err, ec2names.ErrNoName) != (want == "") || len(f.calls) != calls {
				t.Errorf("%q, %v after %d calls; want %q after %d", name, err, len(f.calls), want, calls)
			}
		}
		ask(1, "one", 1)
		ask(1, "one", 1)
		time.Sleep(11 * time.Minute)
		ask(1, "one", 2)
		ask(2, "", 3)
		ask(2, "", 3)
		f.names[id(2)] = "two" // EC2 knows it by and by
		time.Sleep(11 * time.Second)
		ask(2, "two", 4)
	})
}

// TestNobody: none of these is ever an empty name, which would be system:node:.
func TestNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, f := range map[string]*fakeEC2{
			"unknown":    {},
			"terminated": {names: map[string]string{id(1): "one"}, state: types.InstanceStateNameTerminated},
			"nameless":   {names: map[string]string{id(1): ""}},
		} {
			if got, err := resolver(t, f).PrivateDNSName(t.Context(), id(1)); got != "" || !errors.Is(err, ec2names.ErrNoName) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	})
}

func TestFailuresAreNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		f := &fakeEC2{names: map[string]string{id(1): "one"}, err: broken}
		r := resolver(t, f)
		if _, err := r.PrivateDNSName(t.Context(), id(1)); !errors.Is(err, broken) || errors.Is(err, ec2names.ErrNoName) {
			t.Errorf("%v", err)
		}
		f.err = nil
		if name, err := r.PrivateDNSName(t.Context(), id(1)); name != "one" || err != nil {
			t.Errorf("%q, %v", name, err)
		}
	})
}

// TestCallerWhoHangsUp fails nobody else.
func TestCallerWhoHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resolver(t, &fakeEC2{names: map[string]string{id(1): "one"}})
		hasty, hangUp := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := r.PrivateDNSName(hasty, id(1)); !errors.Is(err, context.Canceled) {
				t.Errorf("who hangs up gets %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if name, err := r.PrivateDNSName(t.Context(), id(1)); name != "one" || err != nil {
				t.Errorf("%q, %v", name, err)
			}
		})
		synctest.Wait()
		hangUp()
		all.Wait()
	})
}

func TestNewRefuses(t *testing.T) {
	if _, err := ec2names.New(ec2names.Config{}); err == nil {
		t.Error("a resolver without a client is made")
	}
}
