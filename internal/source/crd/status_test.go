package crd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// fakeObjects is an API server with one object, whose statuses it does not keep: that is
// what a rival does, and the definition of aws-iam-authenticator.
type fakeObjects struct {
	dynamic.ResourceInterface

	mu      sync.Mutex
	fail    error
	patches []time.Time
	calls   int
}

func (f *fakeObjects) Get(context.Context, string, metav1.GetOptions, ...string) (*unstructured.Unstructured, error) {
	return &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "a", "uid": "u", "generation": int64(1)}}}, nil
}

func (f *fakeObjects) Patch(_ context.Context, _ string, _ types.PatchType, data []byte, _ metav1.PatchOptions, _ ...string) (*unstructured.Unstructured, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.fail != nil {
		return nil, f.fail
	}
	f.patches = append(f.patches, time.Now())
	var patch map[string]any
	if err := json.Unmarshal(data, &patch); err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: map[string]any{}}, nil
}

func (f *fakeObjects) recover() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = nil
}

func wanted(reason string) map[string]pending {
	return map[string]pending{"a": {"u", status{inForce: condition{"False", reason, "message", 1}}}}
}

// runWriter runs a writer in a bubble.
func runWriter(t *testing.T, f *fakeObjects) *statusWriter {
	w := newStatusWriter(f, slog.New(slog.DiscardHandler), time.Now)
	ctx, stop := context.WithCancel(t.Context())
	go w.Run(ctx)
	t.Cleanup(func() { stop(); synctest.Wait() })
	return w
}

// TestNoFight checks that a status that another program removes again and again is
// written every ten minutes, and another one at once.
func TestNoFight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fakeObjects
		w := runWriter(t, &f)
		for range 60 * 30 {
			w.Write(wanted("Same"))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := len(f.patches); n != 3 {
			t.Errorf("%d writes in half an hour, want 3", n)
		}
		w.Write(wanted("Other"))
		time.Sleep(maxJitter)
		synctest.Wait()
		if n := len(f.patches); n != 4 {
			t.Errorf("%d writes, want one of the other status", n)
		}
	})
}

// TestRetries checks that a failure is tried again ever more slowly, and a conflict not
// at all: the new version follows.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakeObjects{fail: errors.New("no")}
		w := runWriter(t, &f)
		w.Write(wanted("Same"))
		time.Sleep(time.Hour)
		synctest.Wait()
		if f.calls < 15 || f.calls > 25 {
			t.Errorf("%d tries in an hour, want about 20", f.calls)
		}
		f.recover()
		time.Sleep(maxRetry)
		synctest.Wait()
		if n := len(f.patches); n != 1 {
			t.Errorf("%d writes after the failure, want 1", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := fakeObjects{fail: apierrors.NewConflict(schema.GroupResource{}, "a", errors.New("x"))}
		w := runWriter(t, &f)
		w.Write(wanted("Same"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if f.calls != 1 {
			t.Errorf("%d tries of an outdated version, want 1", f.calls)
		}
		f.recover()
		w.Write(wanted("Same")) // for the new version
		time.Sleep(maxJitter)
		synctest.Wait()
		if n := len(f.patches); n != 1 {
			t.Errorf("%d writes of the new version, want 1", n)
		}
	})
}
