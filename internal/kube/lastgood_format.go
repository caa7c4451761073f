package kube

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// The keys of the ConfigMap. People can read the first two.
const (
	uidKey             = "uid"
	resourceVersionKey = "resourceVersion"
	sectionsKey        = "sections" // in binaryData: JSON, compressed with gzip
)

const (
	// maxCompressed leaves room in a ConfigMap, which has at most 1 MiB.
	maxCompressed = 768 << 10
	// maxExpanded bounds the memory for reading. Sections have at most 1 MiB, and JSON
	// adds a little to them.
	maxExpanded = 4 << 20
)

var errTooLarge = errors.New("the content is too large")

func encodeLastGood(object *unstructured.Unstructured, content LastGood) error {
	var plain, compressed bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(withText(content.Sections)); err != nil {
		return fmt.Errorf("encoding the last good content of aws-auth: %w", err)
	}
	writer := gzip.NewWriter(&compressed)
	_, _ = writer.Write(plain.Bytes()) // a buffer accepts everything
	_ = writer.Close()
	if plain.Len() > maxExpanded || compressed.Len() > maxCompressed {
		return fmt.Errorf("encoding the last good content of aws-auth: %w: %d bytes, compressed %d (at most %d and %d)",
			errTooLarge, plain.Len(), compressed.Len(), maxExpanded, maxCompressed)
	}
	object.Object["data"] = map[string]any{uidKey: string(content.UID), resourceVersionKey: content.ResourceVersion}
	object.Object["binaryData"] = map[string]any{sectionsKey: base64.StdEncoding.EncodeToString(compressed.Bytes())}
	return nil
}

func decodeLastGood(object *unstructured.Unstructured) (LastGood, error) {
	unusable := func(err error) (LastGood, error) {
		return LastGood{}, fmt.Errorf("reading ConfigMap kube-system/%s: %w: %w", object.GetName(), ErrUnusable, err)
	}
	data, err := Data(object)
	if err != nil {
		return unusable(err)
	}
	encoded, found, err := unstructured.NestedString(object.Object, "binaryData", sectionsKey)
	if err != nil {
		return unusable(err)
	}
	if !found {
		return unusable(errors.New("it is empty"))
	}
	if len(encoded) > base64.StdEncoding.EncodedLen(maxCompressed) {
		return unusable(errTooLarge)
	}
	compressed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return unusable(err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return unusable(err)
	}
	plain, err := io.ReadAll(io.LimitReader(reader, maxExpanded+1))
	if err != nil {
		return unusable(err)
	}
	if len(plain) > maxExpanded {
		return unusable(errTooLarge)
	}
	content := LastGood{UID: types.UID(data[uidKey]), ResourceVersion: data[resourceVersionKey]}
	if err := json.Unmarshal(plain, &content.Sections); err != nil {
		return unusable(err)
	}
	return content, nil
}

// CheckLastGood returns why a ConfigMap of the last good content cannot be read. The
// error matches [ErrUnusable].
func CheckLastGood(object *unstructured.Unstructured) error {
	_, err := decodeLastGood(object)
	return err
}
