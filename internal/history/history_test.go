package history_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kube-iam/authenticator/internal/history"
	"github.com/kube-iam/authenticator/internal/kube"
)

// newClient returns a client of an API server with an empty history, which rejects
// updates of an old version, as API servers do.
func newClient(t *testing.T) *fake.FakeDynamicClient {
	t.Helper()
	empty := configMap(history.Name, "0", nil)
	kinds := map[schema.GroupVersionResource]string{{Version: "v1", Resource: "configmaps"}: "ConfigMapList"}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(kuberuntime.NewScheme(), kinds, empty)
	var mu sync.Mutex
	version := 0
	client.PrependReactor("update", "configmaps", func(action clienttesting.Action) (bool, kuberuntime.Object, error) {
		mu.Lock()
		defer mu.Unlock()
		update, _ := action.(clienttesting.UpdateAction)
		object, _ := update.GetObject().(*unstructured.Unstructured)
		if object.GetResourceVersion() != fmt.Sprint(version) {
			return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, object.GetName(), errors.New("version"))
		}
		version++
		object.SetResourceVersion(fmt.Sprint(version))
		return true, object, client.Tracker().Update(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, object, "kube-system")
	})
	return client
}

func configMap(name, version string, data map[string]string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	object.SetName(name)
	object.SetNamespace("kube-system")
	object.SetUID("uid")
	object.SetResourceVersion(version)
	_ = unstructured.SetNestedStringMap(object.Object, data, "data")
	return object
}

func entry(version, text, who string) history.Entry {
	return history.Entry{UID: "uid", ResourceVersion: version, Time: time.Unix(0, 0).UTC(), Who: who, Data: map[string]string{"mapUsers": text}}
}

func record(t *testing.T, client *fake.FakeDynamicClient, entries ...history.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := history.Record(t.Context(), client, e); err != nil {
			t.Fatal(err)
		}
	}
}

// list returns the entries as number, version, who and text.
func list(t *testing.T, client *fake.FakeDynamicClient) (list []string) {
	t.Helper()
	entries, skipped, err := history.List(t.Context(), client)
	if err != nil || len(skipped) > 0 {
		t.Fatal(skipped, err)
	}
	for _, e := range entries {
		list = append(list, fmt.Sprintf("%d %s %s %.10s", e.Number, e.ResourceVersion, e.Author(), e.Data["mapUsers"]))
	}
	return list
}

func TestRecord(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	unknown := entry("30", "c", "")
	unknown.Manager = "kubectl-edit"
	record(t, client,
		entry("1", "a", ""), entry("2", "b", ""),
		entry("2", "b", "ann"), // a server was faster than the command
		entry("2", "b", "eve"), // but who is known stays
		unknown, unknown,
		entry("9", "late", ""), // a server that is late, by the order of numbers
		entry("9", "late", "bob"),
		entry("31", "c", ""), // an edit of a label
	)
	want := []string{"1 1 unknown (field manager unknown) a", "2 2 ann b", "3 9 bob late", "4 30 unknown (field manager kubectl-edit) c"}
	if diff := cmp.Diff(want, list(t, client)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	again := entry("1", "d", "")
	again.UID = "another"
	record(t, client, again, entry("33", "late", "")) // the second is of the aws-auth before
	if got := list(t, client); len(got) != 6 || !strings.HasPrefix(got[4], "5 33 ") || !strings.HasPrefix(got[5], "6 1 ") {
		t.Errorf("aws-auth was created again, and the history is %v", got)
	}
}

// TestRecordLate checks that an edit is in its place although others recorded the next
// edits first, but not if it went to make room.
func TestRecordLate(t *testing.T) {
	t.Parallel()
	want := []string{"1 1 ann a", "2 2 ben b", "3 3 cat c"}
	entries := []history.Entry{entry("1", "a", "ann"), entry("2", "b", "ben"), entry("3", "c", "cat")}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		client := newClient(t)
		for _, i := range order {
			record(t, client, entries[i])
		}
		if diff := cmp.Diff(want, list(t, client)); diff != "" {
			t.Errorf("%v: (-want +got)\n%s", order, diff)
		}
	}
	client := newClient(t)
	write(t, client, map[string][]byte{"00000002.uid.5": zipped(`{"data":{"mapUsers":"a"}}`)})
	record(t, client, entry("4", "old", ""))
	if got := list(t, client); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// TestServersWriteOneEntry lets several servers and the command record the same edits at
// the same time.
func TestServersWriteOneEntry(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	for version := range 5 {
		var servers sync.WaitGroup
		for server := range 3 {
			servers.Go(func() {
				who := ""
				if server == 0 {
					who = "ann"
				}
				if err := history.Record(t.Context(), client, entry(fmt.Sprint(version+1), fmt.Sprint(version), who)); err != nil {
					t.Error(err)
				}
			})
		}
		servers.Wait()
	}
	want := []string{"1 1 ann 0", "2 2 ann 1", "3 3 ann 2", "4 4 ann 3", "5 5 ann 4"}
	if diff := cmp.Diff(want, list(t, client)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestConflicts checks that a write that others get ahead of is tried again, but not
// forever.
func TestConflicts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t)
		conflicts := 3
		client.PrependReactor("update", "configmaps", func(clienttesting.Action) (bool, kuberuntime.Object, error) {
			if conflicts == 0 {
				return false, nil, nil
			}
			conflicts--
			return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, history.Name, errors.New("version"))
		})
		record(t, client, entry("1", "a", ""))
		if got := list(t, client); len(got) != 1 {
			t.Errorf("got %v", got)
		}
		conflicts = 1000
		if err := history.Record(t.Context(), client, entry("2", "b", "")); err == nil || conflicts != 990 {
			t.Errorf("got %v after %d tries", err, 1000-conflicts)
		}
		stopped := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Millisecond, func() { cancel(stopped) })
		if err := history.Record(ctx, client, entry("3", "c", "")); !errors.Is(err, stopped) {
			t.Errorf("got %v, want %v", err, stopped)
		}
	})
}

// random returns a text that does not compress below a number of bytes.
func random(n int) string {
	text := make([]byte, n*3/4)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(text)
	return base64.StdEncoding.EncodeToString(text)
}

// TestSize checks that the oldest entries go first, and the one before the newest never.
func TestSize(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	large := random(300 << 10)
	for i := range 5 {
		record(t, client, entry(fmt.Sprint(i+1), fmt.Sprint(i)+large, ""))
	}
	got := list(t, client)
	if len(got) != 3 || !strings.HasPrefix(got[0], "3 ") || !strings.HasPrefix(got[2], "5 ") {
		t.Errorf("kept %v", got)
	}
	err := history.Record(t.Context(), client, entry("6", random(900<<10), ""))
	if !errors.Is(err, history.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if after := list(t, client); !cmp.Equal(got, after) {
		t.Errorf("an entry that is too large left %v", after)
	}
}

// write writes keys of the history as anybody can who is allowed to edit the ConfigMap.
func write(t *testing.T, client *fake.FakeDynamicClient, packed map[string][]byte) {
	t.Helper()
	object, err := kube.ConfigMaps(client).Get(t.Context(), history.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	binary, _, _ := unstructured.NestedStringMap(object.Object, "binaryData")
	if binary == nil {
		binary = map[string]string{}
	}
	for key, value := range packed {
		binary[key] = base64.StdEncoding.EncodeToString(value)
	}
	_ = unstructured.SetNestedStringMap(object.Object, binary, "binaryData")
	if _, err := kube.ConfigMaps(client).Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// zipped returns a text, compressed.
func zipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

// TestJunk checks that entries that cannot be read are skipped and named, and that the
// history still takes entries.
func TestJunk(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	record(t, client, entry("1", "a", ""))
	good := zipped(`{"data":{"mapUsers":"x"}}`)
	write(t, client, map[string][]byte{
		"README": nil, "0.x.y": good, "-1.x.y": good, "9223372036854775807.x.y": good, "9223372036854775808.x.y": good, "100000000.x.y": good, // not ours
		"00000002.uid.7": []byte("x"), "00000003.uid.8": good[:len(good)-4], "00000004.uid.9": zipped("no JSON"),
	})
	record(t, client, entry("10", "b", ""))
	entries, skipped, err := history.List(t.Context(), client)
	if err != nil || len(entries) != 2 || entries[0].Number != 1 || entries[1].Number != 5 {
		t.Errorf("the entries are %v, %v", entries, err)
	}
	for i, want := range []string{"entry 2 of the history: unexpected EOF", "entry 3 of the history: unexpected EOF", "entry 4 of the history: invalid character"} {
		if len(skipped) != 3 || !strings.HasPrefix(skipped[i].Error(), want) {
			t.Fatalf("skipped are %q, want %q in place %d", skipped, want, i)
		}
	}
}

// TestLargestNumber checks that the entry after the largest number is kept.
func TestLargestNumber(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	write(t, client, map[string][]byte{"00000007.uid.7": zipped(`{"data":{"mapUsers":"a"}}`), "99999999.uid.8": zipped(`{"data":{"mapUsers":"b"}}`)})
	record(t, client, entry("9", "c", "ann"))
	want := []string{"1 7 unknown (field manager unknown) a", "2 8 unknown (field manager unknown) b", "3 9 ann c"}
	if diff := cmp.Diff(want, list(t, client)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestBombs checks that entries that expand to far more than a ConfigMap can have do not
// cost much: one that is too large, and many of the size of an entry.
func TestBombs(t *testing.T) {
	client := newClient(t)
	bombs := map[string][]byte{"00000001.uid.1": zipped(`{"data":{}}`)}
	large := zipped(`{"data":{"mapUsers":"` + strings.Repeat(" ", 6<<20) + `"}}`)
	for i := range 90 {
		bombs[fmt.Sprintf("%08d.uid.%d", i+2, i+2)] = large
	}
	bombs["00000100.uid.100"] = zipped(strings.Repeat(" ", 1<<24))
	write(t, client, bombs)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	entries, skipped, err := history.List(t.Context(), client)
	runtime.ReadMemStats(&after)
	if err != nil || len(entries) > 11 || len(skipped) != 2 || skipped[1].Error() != "entry 100 of the history: it has more than 6295552 bytes" ||
		!strings.HasSuffix(skipped[0].Error(), ": the later ones have 64 MiB already") {
		t.Errorf("%d entries, skipped %q, %v", len(entries), skipped, err)
	}
	// Reading grows a buffer, so that it allocates a few times what it reads.
	if took := after.TotalAlloc - before.TotalAlloc; took > 600<<20 {
		t.Errorf("listing took %d MiB", took>>20)
	}
}

// TestRecorder checks that a server without a history warns once.
func TestRecorder(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	asked := make(chan struct{}, 8)
	client.PrependReactor("get", "configmaps", func(clienttesting.Action) (bool, kuberuntime.Object, error) {
		asked <- struct{}{}
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, history.Name, errors.New("no"))
	})
	warnings := make(chan string, 8)
	recorder := history.NewRecorder(client, slog.New(slog.NewTextHandler(lines(warnings), nil)))
	for i := range 3 {
		recorder.Observe(configMap(kube.AWSAuth, fmt.Sprint(i), nil))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { recorder.Run(ctx) })
	if first := <-warnings; !strings.Contains(first, "aws-auth-history") || !strings.Contains(first, "forbidden") {
		t.Error(first)
	}
	for range 3 {
		<-asked
	}
	cancel()
	running.Wait()
	if len(warnings) > 0 {
		t.Errorf("a second warning: %s", <-warnings)
	}
}

// TestRecorderOverrun checks that the last edits are recorded, if there are too many.
func TestRecorderOverrun(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	wrote := make(chan struct{}, 32)
	client.PrependReactor("update", "configmaps", func(clienttesting.Action) (bool, kuberuntime.Object, error) {
		wrote <- struct{}{}
		return false, nil, nil
	})
	warnings := make(chan string, 8)
	recorder := history.NewRecorder(client, slog.New(slog.NewTextHandler(lines(warnings), nil)))
	for i := range 20 {
		recorder.Observe(configMap(kube.AWSAuth, fmt.Sprint(100+i), map[string]string{"mapUsers": fmt.Sprint(i)}))
	}
	if len(warnings) != 4 {
		t.Errorf("%d warnings, want 4", len(warnings))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { recorder.Run(ctx) })
	for range 16 {
		<-wrote
	}
	for entries := list(t, client); !strings.Contains(entries[len(entries)-1], " 119 "); entries = list(t, client) {
	}
	cancel()
	running.Wait()
	if entries := list(t, client); len(entries) != 16 || !strings.Contains(entries[0], " 104 ") {
		t.Errorf("recorded: %q", entries)
	}
}

type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}
