package crd

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// TestEdit edits one of two objects, or creates a third.
func TestEdit(t *testing.T) {
	t.Parallel()
	const account = "arn:aws:iam::231144931069:"
	made := time.Date(2026, time.November, 29, 0, 0, 0, 0, time.UTC)
	object := func(name, arn, username string, age int) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"name": name, "uid": name, "creationTimestamp": made.AddDate(0, 0, -age).Format(time.RFC3339)},
			"spec":     map[string]any{"arn": arn, "username": username},
		}}
	}
	bob, eve := object("bob", account+"user/bob", "bob", 2), object("eve", account+"user/eve", "eve", 1)
	unaged := object("new", account+"user/bob", "new", 0)
	unstructured.RemoveNestedField(unaged.Object, "metadata", "creationTimestamp")
	c, err := New(Config{REST: &rest.Config{Host: "http://127.0.0.1:1"}, Options: awsauth.Options{Source: "CRD"}, Now: func() time.Time { return made }})
	if err != nil {
		t.Fatal(err)
	}
	if _, read := c.Edit(bob, nil); read {
		t.Error("an edit is judged before the objects are read")
	}
	if err := c.store.Replace([]any{bob, eve}, ""); err != nil {
		t.Fatal(err)
	}
	usernames := func(table *mapper.Table) map[string]string {
		found := map[string]string{}
		for entry, applies := range table.Entries() {
			if applies {
				found[entry.ARN] = entry.Username.String()
			}
		}
		return found
	}
	both := map[string]string{account + "user/bob": "bob", account + "user/eve": "eve"}
	only := map[string]string{account + "user/eve": "eve"}
	for _, test := range []struct {
		name          string
		old, new      *unstructured.Unstructured
		before, after map[string]string
		was, is       []mapper.Code
	}{
		{name: "deleted", old: bob, before: both, after: only},
		{name: "updated", old: bob, new: object("bob", account+"user/bob", "rob", 2), before: both, after: map[string]string{account + "user/bob": "rob", account + "user/eve": "eve"}},
		{name: "becomes wrong", old: bob, new: object("bob", "nonsense", "bob", 2), before: both, after: only, is: []mapper.Code{mapper.EntryInvalidARN}},
		{name: "mended", old: object("bob", "nonsense", "bob", 2), new: bob, before: only, after: both, was: []mapper.Code{mapper.EntryInvalidARN}},
		{name: "a younger one of the same principal", new: object("new", account+"user/bob", "new", 0), before: both, after: both, is: []mapper.Code{mapper.DuplicateEntry}},
		{name: "one without an age", new: unaged, before: both, after: both, is: []mapper.Code{mapper.DuplicateEntry}},
		{name: "an older one of the same principal", new: object("new", account+"user/bob", "new", 9), before: both, after: map[string]string{account + "user/bob": "new", account + "user/eve": "eve"}},
	} {
		got, read := c.Edit(test.old, test.new)
		if !read {
			t.Fatalf("%s: not read", test.name)
		}
		codes := func(problems []mapper.Problem) (codes []mapper.Code) {
			for _, p := range problems {
				codes = append(codes, p.Code)
			}
			return codes
		}
		want := []any{test.before, test.after, test.was, test.is}
		if diff := cmp.Diff(want, []any{usernames(got.Before), usernames(got.After), codes(got.Was), codes(got.Is)}); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.name, diff)
		}
	}
	if len(c.store.contents().objects) != 2 {
		t.Error("an edit that is judged changes what was read")
	}
}
