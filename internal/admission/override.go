package admission

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Annotation is the annotation of an object with which an edit is made in spite of its
// losses. Its value is the [Hash] of the edit. It has no effect in an object that has it
// already.
const Annotation = "authenticator.kube-iam.dev/override"

// Hash returns the value of [Annotation] for an edit. Old is nil for a creation, and new
// for a deletion. The value depends on the contents before and after the edit, so that it
// is void for any other edit, and all servers of a cluster agree on it.
func Hash(name string, old, new *unstructured.Unstructured) string {
	// Maps of texts have one encoding, and encoding them cannot fail.
	text, _ := json.Marshal([]any{name, contentOf(old), contentOf(new)})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func contentOf(object *unstructured.Unstructured) map[string]any {
	if object == nil {
		return nil
	}
	content := map[string]any{}
	for _, field := range []string{"data", "binaryData"} {
		if values, _, _ := unstructured.NestedStringMap(object.Object, field); len(values) > 0 {
			content[field] = values
		}
	}
	if spec, ok := object.Object["spec"]; ok {
		content["spec"] = spec
	}
	return content
}

// overridden reports whether an edit with a hash has the annotation that accepts its losses.
// A deletion has no new object, so the old one must have the annotation.
func overridden(edit Edit, hash string) bool {
	if edit.New == nil {
		return edit.Old.GetAnnotations()[Annotation] == hash
	}
	return edit.New.GetAnnotations()[Annotation] == hash && (edit.Old == nil || edit.Old.GetAnnotations()[Annotation] != hash)
}
