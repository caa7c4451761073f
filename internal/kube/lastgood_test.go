package kube

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

var errConfigMaps = errors.New("unused")

// configMaps is an API server with one ConfigMap, aws-auth-last-good.
type configMaps struct {
	dynamic.ResourceInterface

	mu       sync.Mutex
	object   *unstructured.Unstructured // nil if it does not exist
	version  int
	gets     int
	writes   int
	readErr  error
	writeErr error
	// onGet is called after each Get, before its caller continues.
	onGet func()
}

func resource() schema.GroupResource { return schema.GroupResource{Resource: "configmaps"} }

// created returns an API server with the ConfigMap as the manifests create it.
func created() *configMaps {
	return &configMaps{version: 1, object: &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{
			"name": AWSAuthLastGood, "namespace": "kube-system", "resourceVersion": "1", "labels": map[string]any{"app.kubernetes.io/name": "authenticator"},
		},
	}}}
}

func (c *configMaps) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	c.mu.Lock()
	c.gets++
	object, err, onGet := c.object, c.readErr, c.onGet
	if object != nil {
		object = object.DeepCopy()
	}
	c.mu.Unlock()
	if onGet != nil {
		onGet()
	}
	if err != nil {
		return nil, err
	}
	if object == nil || name != AWSAuthLastGood {
		return nil, apierrors.NewNotFound(resource(), name)
	}
	return object, nil
}

func (c *configMaps) Update(_ context.Context, object *unstructured.Unstructured, _ metav1.UpdateOptions, _ ...string) (*unstructured.Unstructured, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writeErr != nil {
		return nil, c.writeErr
	}
	if object.GetResourceVersion() != strconv.Itoa(c.version) {
		return nil, apierrors.NewConflict(resource(), object.GetName(), errConfigMaps)
	}
	c.version++
	c.writes++
	c.object = object.DeepCopy()
	c.object.SetResourceVersion(strconv.Itoa(c.version))
	return object, nil
}

func (c *configMaps) saved(t *testing.T) LastGood {
	t.Helper()
	content, err := GetLastGood(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func edit(version string, sections map[string]LastGoodSection) LastGood {
	return LastGood{UID: "a", ResourceVersion: version, Sections: sections}
}

func text(text string) map[string]LastGoodSection {
	return map[string]LastGoodSection{"mapRoles": {Text: text}}
}

func put(t *testing.T, c *configMaps, content LastGood, wantWrote bool) {
	t.Helper()
	if wrote, err := putLastGood(t.Context(), c, content); err != nil || wrote != wantWrote {
		t.Errorf("saving %s: wrote %v, %v; want %v", content.ResourceVersion, wrote, err, wantWrote)
	}
}

// TestLastGood checks what a series of edits leaves saved.
func TestLastGood(t *testing.T) {
	c := created()
	since, later := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC), time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	expect := func(want LastGood) {
		t.Helper()
		if diff := cmp.Diff(want, c.saved(t)); diff != "" {
			t.Errorf("-want +saved\n%s", diff)
		}
	}
	put(t, c, edit("9", map[string]LastGoodSection{"mapRoles": {Text: "- <roles> & \"é\"\n"}, "mapUsers": {Text: "users"}}), true)
	expect(edit("9", map[string]LastGoodSection{"mapRoles": {Text: "- <roles> & \"é\"\n"}, "mapUsers": {Text: "users"}}))
	if labels := c.object.GetLabels(); labels["app.kubernetes.io/name"] != "authenticator" {
		t.Errorf("labels %v: those of the manifest are gone", labels)
	}
	// Another server read the same edit, or is late.
	put(t, c, edit("9", text("other")), false)
	put(t, c, edit("8", text("other")), false)
	// Sections that broke keep their text and the time of the first edit; others change.
	put(t, c, edit("10", map[string]LastGoodSection{"mapRoles": {KeptSince: since}, "mapUsers": {Text: "users 10"}, "mapAccounts": {KeptSince: since}}), true)
	put(t, c, edit("11", map[string]LastGoodSection{"mapRoles": {KeptSince: later}, "mapAccounts": {KeptSince: later}}), true)
	expect(edit("11", map[string]LastGoodSection{"mapRoles": {Text: "- <roles> & \"é\"\n", KeptSince: since}}))
	put(t, c, edit("12", text("mended")), true)
	expect(edit("12", text("mended")))
	// An aws-auth that was created again inherits nothing, whatever its version.
	put(t, c, LastGood{UID: "b", ResourceVersion: "3", Sections: map[string]LastGoodSection{"mapRoles": {KeptSince: later}, "mapUsers": {Text: "u"}}}, true)
	expect(LastGood{UID: "b", ResourceVersion: "3", Sections: map[string]LastGoodSection{"mapUsers": {Text: "u"}}})
}

// TestLastGoodIsWrittenOnce checks that servers that save the same edit at the same time
// write it once, and that none loses a later edit.
func TestLastGoodIsWrittenOnce(t *testing.T) {
	const servers = 8
	c := created()
	for version := range 3 {
		// All servers read before any writes.
		var reading, saving sync.WaitGroup
		reading.Add(servers)
		var once [servers]sync.Once
		for server := range servers {
			saving.Go(func() {
				one := &configMapsOf{c, func() { once[server].Do(func() { reading.Done(); reading.Wait() }) }}
				if _, err := putLastGood(t.Context(), one, edit(strconv.Itoa(version+1), text(fmt.Sprint(version)))); err != nil {
					t.Error(err)
				}
			})
		}
		saving.Wait()
		if c.writes != version+1 {
			t.Errorf("%d writes after %d edits", c.writes, version+1)
		}
	}
	if got := c.saved(t); got.Sections["mapRoles"].Text != "2" {
		t.Errorf("saved is %+v", got)
	}
}

// configMapsOf is one server's client.
type configMapsOf struct {
	*configMaps
	afterGet func()
}

func (c *configMapsOf) Get(ctx context.Context, name string, options metav1.GetOptions, sub ...string) (*unstructured.Unstructured, error) {
	object, err := c.configMaps.Get(ctx, name, options, sub...)
	c.afterGet()
	return object, err
}

// TestUnusableLastGood checks that whatever the ConfigMap has is an error, is bounded,
// and can be overwritten.
func TestUnusableLastGood(t *testing.T) {
	compressed := func(content []byte) string {
		var buffer bytes.Buffer
		w := gzip.NewWriter(&buffer)
		_, _ = w.Write(content)
		_ = w.Close()
		return base64.StdEncoding.EncodeToString(buffer.Bytes())
	}
	good := compressed([]byte(`{"mapRoles":{"text":"x"}}`))
	for name, fill := range map[string]func(object map[string]any){
		"empty":          func(map[string]any) {},
		"data of a list": func(o map[string]any) { o["data"] = []any{"x"} },
		"not base64":     func(o map[string]any) { o["binaryData"] = map[string]any{"sections": "%"} },
		"not gzip":       func(o map[string]any) { o["binaryData"] = map[string]any{"sections": "AAAA"} },
		"cut off":        func(o map[string]any) { o["binaryData"] = map[string]any{"sections": good[:len(good)-8]} },
		"not JSON":       func(o map[string]any) { o["binaryData"] = map[string]any{"sections": compressed([]byte("x"))} },
		"other JSON":     func(o map[string]any) { o["binaryData"] = map[string]any{"sections": compressed([]byte(`["x"]`))} },
		"a bomb": func(o map[string]any) {
			o["binaryData"] = map[string]any{"sections": compressed(make([]byte, 64<<20))}
		},
		"too large": func(o map[string]any) { o["binaryData"] = map[string]any{"sections": strings.Repeat("A", 2<<20)} },
	} {
		c := created()
		c.object.Object["data"] = map[string]any{"uid": "a", "resourceVersion": "1"}
		fill(c.object.Object)
		if content, err := GetLastGood(t.Context(), c); !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %+v, %v", name, content, err)
		}
		put(t, c, edit("1", text("new")), true)
		if got := c.saved(t); got.Sections["mapRoles"].Text != "new" {
			t.Errorf("%s: saved is %+v", name, got)
		}
	}
	for name, c := range map[string]*configMaps{
		"missing":   {},
		"forbidden": {readErr: apierrors.NewForbidden(resource(), AWSAuthLastGood, errConfigMaps)},
	} {
		if _, err := GetLastGood(t.Context(), c); !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	away := &configMaps{readErr: apierrors.NewInternalError(errConfigMaps)}
	if _, err := GetLastGood(t.Context(), away); err == nil || errors.Is(err, ErrUnusable) {
		t.Errorf("an API server that fails: %v, which must be worth another attempt", err)
	}
}

// TestLastGoodLimit checks that content at the limit is saved and can be read, and that
// larger content is not saved.
func TestLastGoodLimit(t *testing.T) {
	random := make([]byte, 700<<10)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	c := created()
	fits := base64.StdEncoding.EncodeToString(random) // 6 bits in each byte: 700 KiB compressed
	put(t, c, edit("1", text(fits)), true)
	if got := c.saved(t); got.Sections["mapRoles"].Text != fits {
		t.Error("the text at the limit is not read again")
	}
	for name, tooLarge := range map[string]string{"compressed": fits + fits[:200<<10], "expanded": strings.Repeat("a", maxExpanded)} {
		if wrote, err := putLastGood(t.Context(), c, edit("2", text(tooLarge))); wrote || !errors.Is(err, errTooLarge) {
			t.Errorf("%s: wrote %v, %v", name, wrote, err)
		}
	}
	if got := c.saved(t); got.ResourceVersion != "1" {
		t.Errorf("saved is version %s", got.ResourceVersion)
	}
}

// TestLastGoodWriter checks that the writer goes on after failures, merges what waits,
// and reports a failure once.
func TestLastGoodWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := created()
		c.readErr = apierrors.NewForbidden(resource(), AWSAuthLastGood, errConfigMaps)
		w := NewLastGoodWriter(c, slog.New(slog.NewTextHandler(&log, nil)))
		var running sync.WaitGroup
		running.Go(func() { w.Run(t.Context()) })
		t.Cleanup(running.Wait)
		w.Save(edit("1", map[string]LastGoodSection{"mapRoles": {Text: "roles"}, "mapUsers": {Text: "users"}}))
		time.Sleep(time.Hour) // in the bubble
		synctest.Wait()
		if c.gets < 10 || c.gets > 25 {
			t.Errorf("%d attempts in an hour", c.gets)
		}
		if got := strings.Count(log.String(), "saving the last good content of aws-auth failed"); got != 1 {
			t.Errorf("the failure is logged %d times:\n%s", got, log.String())
		}
		// What was not saved yet is not lost when its section breaks.
		w.Save(edit("2", map[string]LastGoodSection{"mapRoles": {KeptSince: time.Unix(0, 0)}, "mapUsers": {Text: "users 2"}}))
		synctest.Wait()
		c.mu.Lock()
		c.readErr = nil
		c.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := c.saved(t); got.ResourceVersion != "2" || got.Sections["mapRoles"].Text != "roles" || got.Sections["mapUsers"].Text != "users 2" {
			t.Errorf("saved is %+v", got)
		}
		before := c.gets
		time.Sleep(time.Hour)
		synctest.Wait()
		if c.gets != before || c.writes != 1 {
			t.Errorf("%d more reads and %d writes, want none and 1", c.gets-before, c.writes)
		}
		// Others that always write first end an attempt, not the writer.
		c.mu.Lock()
		c.onGet = func() { c.mu.Lock(); c.version++; c.mu.Unlock() }
		c.mu.Unlock()
		w.Save(edit("3", text("roles 3")))
		time.Sleep(time.Second / 2)
		synctest.Wait()
		if !strings.Contains(log.String(), "others changed it 10 times in a row") {
			t.Error(log.String())
		}
	})
}
