package history

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxEntry is the size of an entry in bytes. A ConfigMap has at most 1 MiB, and a byte
// takes at most six in JSON.
const maxEntry = 6<<20 + 4096

// storedIn returns the records in a ConfigMap, in the order of their numbers.
func storedIn(configMap *unstructured.Unstructured) ([]record, error) {
	binary, _, err := unstructured.NestedStringMap(configMap.Object, "binaryData")
	if err != nil {
		return nil, fmt.Errorf("reading the history: %w", err)
	}
	var records []record
	for key, text := range binary {
		packed, err := base64.StdEncoding.DecodeString(text)
		if r, ok := recordOf(key, packed); ok && err == nil {
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b record) int { return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.key(), b.key())) })
	return records, nil
}

// store replaces the records in a ConfigMap.
func store(configMap *unstructured.Unstructured, records []record) error {
	binary := make(map[string]string, len(records))
	for _, r := range records {
		binary[r.key()] = base64.StdEncoding.EncodeToString(r.packed)
	}
	if err := unstructured.SetNestedStringMap(configMap.Object, binary, "binaryData"); err != nil {
		return fmt.Errorf("writing the history: %w", err)
	}
	return nil
}

func pack(entry Entry) ([]byte, error) {
	text, err := json.Marshal(entry)
	if err != nil {
		return nil, fmt.Errorf("writing the history: %w", err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text) // a buffer takes everything
	_ = w.Close()
	return b.Bytes(), nil
}

func (r record) unpack() (Entry, error) {
	text, err := r.expand()
	if err != nil {
		return Entry{}, err
	}
	return r.entry(text)
}

// expand returns the JSON of an entry. The text is of use only without an error, but its
// length is always what was read.
func (r record) expand() ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(r.packed))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(reader, maxEntry+1))
	if err == nil && len(text) > maxEntry {
		err = fmt.Errorf("it has more than %d bytes", maxEntry)
	}
	return text, err
}

func (r record) entry(text []byte) (Entry, error) {
	var entry Entry
	if err := json.Unmarshal(text, &entry); err != nil {
		return Entry{}, err
	}
	entry.Number, entry.UID, entry.ResourceVersion = r.number, r.uid, r.version
	return entry, nil
}
