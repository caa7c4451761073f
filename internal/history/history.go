// Package history keeps the earlier contents of the ConfigMap aws-auth in the ConfigMap
// kube-system/aws-auth-history, so that an edit can be undone. Several servers and
// commands write it: an entry is keyed by the UID and resourceVersion of aws-auth, so
// that each edit has one.
package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	"github.com/kube-iam/authenticator/internal/kube"
)

// Name is the name of the ConfigMap.
const Name = "aws-auth-history"

const (
	// maxSize is the size of all entries in bytes, compressed. The oldest go first.
	maxSize = 768 << 10
	// maxTries is how often a write is tried that others get ahead of.
	maxTries = 10
)

// An Entry is the content of aws-auth after an edit.
type Entry struct {
	// Number counts the entries, beginning with 1. It is set by [List].
	Number int `json:"-"`
	// UID and ResourceVersion are those of aws-auth.
	UID             string `json:"-"`
	ResourceVersion string `json:"-"`
	// Time is when the edit was made or seen.
	Time time.Time `json:"time"`
	// Who made the edit; if that is not known, Manager is set and is the name of the
	// program that did.
	Who     string `json:"who,omitempty"`
	Manager string `json:"manager,omitempty"`
	// Data is the content.
	Data map[string]string `json:"data"`
}

// Author returns who made the edit, in words.
func (e Entry) Author() string {
	return cmp.Or(e.Who, fmt.Sprintf("unknown (field manager %s)", cmp.Or(e.Manager, "unknown")))
}

// New returns the entry of the ConfigMap aws-auth as it is. Who may be empty. Now is the
// time if the ConfigMap does not say when it was edited.
func New(configMap *unstructured.Unstructured, who string, now time.Time) (Entry, error) {
	data, err := kube.Data(configMap)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{UID: string(configMap.GetUID()), ResourceVersion: configMap.GetResourceVersion(), Time: now.UTC(), Who: who, Data: data}
	var last time.Time
	for _, field := range configMap.GetManagedFields() {
		if field.Time != nil && !field.Time.Time.Before(last) {
			last, e.Manager = field.Time.Time, field.Manager
			e.Time = last.UTC()
		}
	}
	return e, nil
}

// ErrTooLarge is the error of recording an entry that does not fit beside the one before
// it.
var ErrTooLarge = errors.New("the entry is too large for the history")

// Record adds an entry in the order of versions, unless the history has it, or had it
// until it went to make room: the oldest entries go first. The entry before the newest
// always stays.
func Record(ctx context.Context, client dynamic.Interface, entry Entry) error {
	// The waits are random, so that others who wait do not try again at the same time.
	waits := wait.Backoff{Duration: 10 * time.Millisecond, Factor: 1.5, Jitter: 1, Steps: maxTries}
	for range maxTries {
		configMap, err := kube.ConfigMaps(client).Get(ctx, Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("reading the history: %w", err)
		}
		changed, err := add(configMap, entry)
		if err != nil || !changed {
			return err
		}
		_, err = kube.ConfigMaps(client).Update(ctx, configMap, metav1.UpdateOptions{FieldManager: "authenticator"})
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) {
			return fmt.Errorf("writing the history: %w", err)
		}
		select {
		case <-time.After(waits.Step()):
		case <-ctx.Done():
			return fmt.Errorf("writing the history: %w", context.Cause(ctx))
		}
	}
	return fmt.Errorf("writing the history: somebody else wrote it at the same time, %d times in a row", maxTries)
}

// add adds an entry to the ConfigMap, and reports whether that changed it.
func add(configMap *unstructured.Unstructured, entry Entry) (bool, error) {
	stored, err := storedIn(configMap)
	if err != nil {
		return false, err
	}
	packed, err := pack(entry)
	if err != nil {
		return false, err
	}
	for i, s := range stored {
		if s.uid != entry.UID || s.version != entry.ResourceVersion {
			continue
		}
		// A server may have been faster, but only the command knows who it is.
		known, err := s.unpack()
		if entry.Who == "" || err != nil || known.Who != "" {
			return false, nil
		}
		stored[i].packed = packed
		return true, store(configMap, stored)
	}
	at := placeOf(entry, stored)
	if at == 0 && len(stored) > 0 && stored[0].number > 1 {
		return false, nil // it went to make room
	}
	if at > 0 && stored[at-1].uid == entry.UID {
		// An edit of labels or annotations changes the version too.
		if last, err := stored[at-1].unpack(); err == nil && maps.Equal(last.Data, entry.Data) {
			return false, nil
		}
	}
	stored = insert(stored, at, record{uid: entry.UID, version: entry.ResourceVersion, packed: packed})
	for len(stored) > 2 && size(stored) > maxSize {
		stored = stored[1:]
	}
	if size(stored) > maxSize {
		return false, fmt.Errorf("%w: it and the one before have %d bytes (at most %d)", ErrTooLarge, size(stored), maxSize)
	}
	return true, store(configMap, stored)
}

// placeOf returns the index of an entry among the records: the end, unless those who made
// or saw the next edits, or created aws-auth again, were faster.
func placeOf(entry Entry, stored []record) int {
	at := len(stored)
	for at > 0 && stored[at-1].uid != entry.UID {
		at--
	}
	if at == 0 {
		return len(stored) // the first of this aws-auth
	}
	for at > 0 && stored[at-1].uid == entry.UID && isOlder(entry.ResourceVersion, stored[at-1].version) {
		at--
	}
	return at
}

// insert inserts a record, and numbers it and those after it.
func insert(stored []record, at int, r record) []record {
	if n := len(stored); n > 0 && stored[n-1].number == maxNumber {
		renumber(stored)
	}
	r.number = 1
	if at > 0 {
		r.number = stored[at-1].number + 1
	}
	stored = slices.Insert(stored, at, r)
	for i := at + 1; i < len(stored) && stored[i].number <= stored[i-1].number; i++ {
		stored[i].number = stored[i-1].number + 1
	}
	return stored
}

// isOlder reports whether a version of an object comes before another. Since Kubernetes
// 1.35, versions are numbers; of others the order is unknown.
func isOlder(version, than string) bool {
	a, err := strconv.ParseUint(version, 10, 64)
	b, err2 := strconv.ParseUint(than, 10, 64)
	return err == nil && err2 == nil && a < b
}

// List returns the entries, the oldest first. Those that cannot be read are not among
// them: skipped names each, with the reason.
func List(ctx context.Context, client dynamic.Interface) (entries []Entry, skipped []error, err error) {
	configMap, err := kube.ConfigMaps(client).Get(ctx, Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the history: %w", err)
	}
	return read(configMap)
}

// Check returns why an entry in the ConfigMap of a history cannot be read; nil if all can.
func Check(configMap *unstructured.Unstructured) error {
	_, skipped, err := read(configMap)
	return errors.Join(append(skipped, err)...)
}

func read(configMap *unstructured.Unstructured) (entries []Entry, skipped []error, err error) {
	stored, err := storedIn(configMap)
	if err != nil {
		return nil, nil, err
	}
	left := maxRead
	for i, s := range slices.Backward(stored) {
		if left <= 0 { // somebody filled it with what compresses too well
			skipped = append(skipped, fmt.Errorf("%d entries of the history before number %d: the later ones have %d MiB already", i+1, stored[i+1].number, maxRead>>20))
			break
		}
		text, err := s.expand()
		left -= len(text)
		var entry Entry
		if err == nil {
			entry, err = s.entry(text)
		}
		if err != nil {
			skipped = append(skipped, fmt.Errorf("entry %d of the history: %w", s.number, err))
			continue
		}
		entries = append(entries, entry)
	}
	slices.Reverse(entries)
	slices.Reverse(skipped)
	return entries, skipped, nil
}

// maxRead is the expanded size in bytes of the entries that are read at once, the newest
// first.
const maxRead = 64 << 20

// A record is an entry as it is stored: the key is its number, UID and version.
type record struct {
	number       int
	uid, version string
	packed       []byte
}

func (r record) key() string { return fmt.Sprintf("%08d.%s.%s", r.number, r.uid, r.version) }

func size(records []record) (n int) {
	for _, r := range records {
		n += len(r.packed)
	}
	return n
}

// maxNumber is the largest number of an entry.
const maxNumber = 99_999_999

// renumber numbers records from 1.
func renumber(records []record) {
	for i := range records {
		records[i].number = i + 1
	}
}

// recordOf returns the record of a key, and reports whether the key is one of ours.
func recordOf(key string, packed []byte) (record, bool) {
	number, rest, ok := strings.Cut(key, ".")
	uid, version, ok2 := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	return record{n, uid, version, packed}, ok && ok2 && err == nil && n > 0 && n <= maxNumber
}
