package crd

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

const (
	// maxJitter is the longest time before the first status is written: of several
	// servers, usually one writes, and the others see what it wrote.
	maxJitter    = 2 * time.Second
	writeTimeout = 10 * time.Second
	// The time to the next attempt after a failure, which doubles from one to the other.
	minRetry = time.Second
	maxRetry = 5 * time.Minute
	// rewriteAfter is the time until the same status is written again to the same object:
	// aws-iam-authenticator removes conditions, and its CustomResourceDefinition too.
	rewriteAfter = 10 * time.Minute
)

// A statusWriter writes the statuses of objects in the background, so that writing never
// delays the mappings.
type statusWriter struct {
	objects dynamic.ResourceInterface
	log     *slog.Logger
	now     func() time.Time
	limit   *rate.Limiter
	changed chan struct{}

	mu      sync.Mutex
	pending map[string]pending
	// written has what was written in the last ten minutes, by name.
	written map[string]written
	// warned is set after a warning that conditions are not kept.
	warned bool
}

// pending is the status that an object should have.
type pending struct {
	uid    types.UID
	status status
}

type written struct {
	pending
	at time.Time
}

func newStatusWriter(objects dynamic.ResourceInterface, log *slog.Logger, now func() time.Time) *statusWriter {
	return &statusWriter{
		objects: objects, log: log, now: now, limit: rate.NewLimiter(20, 20), changed: make(chan struct{}, 1), written: map[string]written{},
	}
}

// Write writes statuses soon, instead of those that wait.
func (w *statusWriter) Write(wanted map[string]pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, last := range w.written {
		if w.now().Sub(last.at) >= rewriteAfter {
			delete(w.written, name)
		}
	}
	for name, p := range wanted {
		if last, ok := w.written[name]; ok && last.pending == p {
			delete(wanted, name)
		}
	}
	w.pending = wanted
	if len(wanted) > 0 {
		signal(w.changed)
	}
}

// Run writes until ctx is done.
func (w *statusWriter) Run(ctx context.Context) {
	delay, failure := minRetry, ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		}
		if !sleep(ctx, rand.N(maxJitter)) {
			return
		}
		for {
			err := w.writeAll(ctx)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				delay, failure = minRetry, ""
				break
			}
			if err.Error() != failure {
				failure = err.Error()
				w.log.Warn("writing the status of an IAMIdentityMapping failed: its conditions are outdated, its mapping is not", "error", err)
			}
			if !sleep(ctx, delay) {
				return
			}
			delay = min(2*delay, maxRetry)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// writeAll writes what waits, in any order: of several servers, each starts elsewhere.
func (w *statusWriter) writeAll(ctx context.Context) error {
	for {
		name, p, ok := w.next()
		if !ok {
			return nil
		}
		if err := w.limit.Wait(ctx); err != nil {
			return err
		}
		wrote, err := w.write(ctx, name, p)
		if err != nil {
			return err
		}
		w.done(name, p, wrote)
	}
}

func (w *statusWriter) next() (string, pending, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, p := range w.pending {
		return name, p, true
	}
	return "", pending{}, false
}

func (w *statusWriter) done(name string, p pending, wrote bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if wrote {
		w.written[name] = written{p, w.now()}
	}
	if w.pending[name] == p {
		delete(w.pending, name)
	}
}

// write writes the status of one object, and reports whether it did: not if the object
// has the status already, or is not the one that the status is for.
func (w *statusWriter) write(ctx context.Context, name string, p pending) (wrote bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	current, err := w.objects.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if current.GetUID() != p.uid || current.GetGeneration() != p.status.inForce.observedGeneration || readStatus(current) == p.status {
		return false, nil // a later version, or another server was faster
	}
	patch, err := json.Marshal(patchOf(current, p.status, w.now()))
	if err != nil {
		return false, err
	}
	result, err := w.objects.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err): // the new version, or the removal, is on its way
		return false, nil
	case err != nil:
		return false, err
	}
	w.checkKept(result)
	return true, nil
}

// checkKept warns if the definition in the cluster has no conditions.
func (w *statusWriter) checkKept(result *unstructured.Unstructured) {
	kept := readStatus(result).inForce.status != ""
	w.mu.Lock()
	defer w.mu.Unlock()
	if !kept && !w.warned {
		w.warned = true
		w.log.Warn("the CustomResourceDefinition keeps no conditions, most likely because it is that of aws-iam-authenticator: apply deploy/kubernetes/components/crd to see why an IAMIdentityMapping is not in force")
	}
}

// patchOf returns the change of an object's status. It leaves the conditions of others
// as they are, and names the version that it is for.
func patchOf(current *unstructured.Unstructured, s status, now time.Time) map[string]any {
	list, _, _ := unstructured.NestedSlice(current.Object, "status", "conditions")
	conditions := []any{}
	since := now.UTC().Format(time.RFC3339)
	for _, value := range list {
		c, ok := value.(map[string]any)
		if !ok {
			continue
		}
		if c["type"] != conditionInForce {
			conditions = append(conditions, c)
		} else if last, ok := c["lastTransitionTime"].(string); ok && c["status"] == s.inForce.status {
			since = last
		}
	}
	conditions = append(conditions, map[string]any{
		"type": conditionInForce, "status": s.inForce.status, "reason": s.inForce.reason, "message": s.inForce.message,
		"observedGeneration": s.inForce.observedGeneration, "lastTransitionTime": since,
	})
	patch := map[string]any{"conditions": conditions, "canonicalARN": nil}
	if s.canonicalARN != "" {
		patch["canonicalARN"] = s.canonicalARN
	}
	return map[string]any{"metadata": map[string]any{"resourceVersion": current.GetResourceVersion()}, "status": patch}
}
