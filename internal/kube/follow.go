package kube

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
)

// retryDelay is the mean time between two attempts while an API server does not
// respond. The delays of client-go grow to a minute: an edit would take effect that
// late after the API server is back.
const retryDelay = 400 * time.Millisecond

// A Follower lists and watches objects for an informer.
type Follower struct {
	// Objects is the client of the objects, and Selector selects them by their fields.
	Objects  dynamic.ResourceInterface
	Selector string
	// Observe is called with the result of every list and watch.
	Observe func(error)
	// Log gets a line when the API server stops responding, and when it is back.
	Log *slog.Logger

	unreachable bool
	// hasRead is set once a call succeeded.
	hasRead bool
}

// ListWatch returns what an informer needs. While the API server does not respond, it
// keeps trying, at least once a second.
func (f *Follower) ListWatch() *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = f.Selector
			return untilItResponds(ctx, f, func() (runtime.Object, error) { return f.Objects.List(ctx, options) })
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = f.Selector
			return untilItResponds(ctx, f, func() (watch.Interface, error) { return f.Objects.Watch(ctx, options) })
		},
	}
}

// untilItResponds repeats a call until the API server responds to it. An informer makes
// one call at a time.
func untilItResponds[T any](ctx context.Context, f *Follower, call func() (T, error)) (T, error) {
	for {
		got, err := call()
		if ctx.Err() != nil {
			return got, err
		}
		// An API server that is too old to list by watching responds Invalid.
		if !apierrors.IsInvalid(err) {
			f.Observe(err)
		}
		f.hasRead = f.hasRead || err == nil
		if responds(err) {
			if f.unreachable {
				f.unreachable = false
				f.Log.Info("the API server responds again")
			}
			return got, err
		}
		if !f.unreachable {
			f.unreachable = true
			effect := "what was read last stays in force"
			if !f.hasRead {
				effect = "nothing was read yet, so the server is not ready"
			}
			f.Log.Error("the API server does not respond: "+effect, "error", err)
		}
		select {
		case <-ctx.Done():
			return got, err
		case <-time.After(retryDelay/2 + rand.N(retryDelay)):
		}
	}
}

// responds reports whether an error, or nil, comes from an API server that works.
func responds(err error) bool {
	if err == nil {
		return true
	}
	status, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && status.ErrStatus.Code < http.StatusInternalServerError
}
