package kube_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kube-iam/authenticator/internal/kube"
)

// objects fails to list until the errors are used up.
type objects struct {
	dynamic.ResourceInterface
	errs     []error
	selector string
}

func (o *objects) List(_ context.Context, options metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	o.selector = options.FieldSelector
	if len(o.errs) == 0 {
		return &unstructured.UnstructuredList{}, nil
	}
	err := o.errs[0]
	o.errs = o.errs[1:]
	return nil, err
}

func TestFollower(t *testing.T) {
	t.Parallel()
	refused := errors.New("connection refused")
	starting := apierrors.NewGenericServerResponse(http.StatusServiceUnavailable, "list", schema.GroupResource{}, "", "starting", 0, true)
	forbidden := apierrors.NewForbidden(schema.GroupResource{}, "aws-auth", nil)
	invalid := apierrors.NewInvalid(schema.GroupKind{}, "", nil)
	for _, test := range []struct {
		name           string
		errs           []error
		wantErr        error
		failures, logs int
	}{
		{"works", nil, nil, 0, 0},
		{"down", []error{refused, refused, starting, refused}, nil, 4, 2},
		{"forbidden", []error{forbidden}, forbidden, 1, 0},
		{"forbidden after an outage", []error{refused, forbidden}, forbidden, 2, 2},
		{"too old to list by watching", []error{invalid}, invalid, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				failures, started := 0, time.Now()
				listed := &objects{errs: test.errs}
				follower := kube.Follower{Objects: listed, Selector: "metadata.name=aws-auth", Observe: func(err error) {
					if err != nil {
						failures++
					}
				}, Log: slog.New(slog.NewTextHandler(&log, nil))}
				_, err := follower.ListWatch().ListWithContext(t.Context(), metav1.ListOptions{})
				if !errors.Is(err, test.wantErr) || failures != test.failures || listed.selector != "metadata.name=aws-auth" {
					t.Errorf("error %v with %d failures of %q, want %v with %d", err, failures, listed.selector, test.wantErr, test.failures)
				}
				if lines := strings.Count(log.String(), "\n"); lines != test.logs {
					t.Errorf("%d lines are logged, want %d: %s", lines, test.logs, log.String())
				}
				follower.Objects = &objects{errs: []error{refused}}
				_, _ = follower.ListWatch().ListWithContext(t.Context(), metav1.ListOptions{})
				hasRead := test.wantErr == nil
				if strings.Contains(log.String(), "what was read last stays in force") != hasRead || strings.Contains(log.String(), "nothing was read yet, so the server is not ready") != (len(test.errs) > 1 || !hasRead) {
					t.Errorf("after another outage, logged %s", log.String())
				}
				if took, most := time.Since(started), time.Duration(len(test.errs)+1)*time.Second; took > most {
					t.Errorf("it took %s, want at most %s", took, most)
				}
			})
		})
	}
}

// TestFollowerStops checks that an API server that is down does not keep a server from
// stopping.
func TestFollowerStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		down := make([]error, 1000)
		for i := range down {
			down[i] = errors.New("connection refused")
		}
		started := time.Now()
		follower := kube.Follower{Objects: &objects{errs: down}, Observe: func(error) {}, Log: slog.New(slog.DiscardHandler)}
		if _, err := follower.ListWatch().ListWithContext(ctx, metav1.ListOptions{}); err == nil {
			t.Error("the list succeeds")
		}
		if took := time.Since(started); took != time.Minute {
			t.Errorf("it stops after %s", took)
		}
	})
}
