package crd

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// TestRelist checks when only a list shows which objects are the oldest: after every
// change beyond the limits that leaves or needs room.
func TestRelist(t *testing.T) {
	object := func(name string) any {
		return &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": name}, "spec": map[string]any{"arn": name}}}
	}
	s := newStore(limits{objects: 1, bytes: 100}, awsauth.Options{})
	asked := func() bool {
		select {
		case <-s.relist:
			return true
		default:
			return false
		}
	}
	for _, step := range []struct {
		name   string
		change func() error
		want   bool
	}{
		{"a list within the limits", func() error { return s.Replace([]any{object("a")}, "") }, false},
		{"an update", func() error { return s.Update(object("a")) }, false},
		{"one too many", func() error { return s.Add(object("b")) }, true},
		{"an update of what is kept", func() error { return s.Update(object("a")) }, false},
		{"a removal", func() error { return s.Delete(object("a")) }, true},
		{"a list", func() error { return s.Replace([]any{object("b")}, "") }, false},
		{"a removal within the limits", func() error { return s.Delete(object("b")) }, false},
	} {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		if got := asked(); got != step.want {
			t.Errorf("%s: a list is asked for: %v, want %v", step.name, got, step.want)
		}
	}
}
