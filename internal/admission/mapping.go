package admission

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	strictjson "sigs.k8s.io/json"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// mappingPrefix begins the name of an edit of an IAMIdentityMapping, as kubectl takes it.
const mappingPrefix = "iamidentitymapping/"

// judgeMapping judges an edit of an IAMIdentityMapping by all of them. A new object is
// never refused for its own mistakes: nobody has access by it yet.
func (g *Guard) judgeMapping(edit Edit) (v Verdict, err error) {
	if g.config.MappingEdit == nil {
		return v, nil
	}
	does, read := g.config.MappingEdit(edit.Old, edit.New)
	if !read {
		return v, errors.New("the server has not read the IAMIdentityMappings yet")
	}
	delta := mapper.Diff(does.Before, does.After)
	if edit.Old != nil && edit.New != nil {
		v.Losses = wrongEntries(does.Was, does.Is, delta)
	}
	v.Losses = slices.Concat(v.Losses, g.dangers(edit, does.Before, does.After, delta, g.config.Mappings))
	v.Warnings = warnings(does.Is, "the condition of the object")
	return v, nil
}

// maxMapping is the maximum length of the text of an IAMIdentityMapping. etcd holds the
// text itself, of up to 1.5 MiB.
const maxMapping = 2 << 20

// readMapping returns what matters of an IAMIdentityMapping.
func readMapping(object text) (*unstructured.Unstructured, error) {
	var read struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Name        string `json:"name"`
			UID         string `json:"uid"`
			Created     string `json:"creationTimestamp"`
			Annotations values `json:"annotations"`
		} `json:"metadata"`
		Spec struct {
			ARN      string   `json:"arn"`
			Username string   `json:"username"`
			Groups   []string `json:"groups"`
		} `json:"spec"`
	}
	switch {
	case len(object) == 0:
		return nil, errors.New("it is missing")
	case len(object) > maxMapping:
		return nil, fmt.Errorf("it is longer than %d KiB", maxMapping>>10)
	}
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(object, &read); err != nil {
		return nil, err
	}
	if read.Kind != "IAMIdentityMapping" {
		return nil, fmt.Errorf("its kind is %q, expected IAMIdentityMapping", limited(read.Kind, 63))
	}
	groups := make([]any, len(read.Spec.Groups))
	for i, group := range read.Spec.Groups {
		groups[i] = group
	}
	mapping := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": read.Metadata.Name, "uid": read.Metadata.UID, "annotations": map[string]any(read.Metadata.Annotations)},
		"spec":     map[string]any{"arn": read.Spec.ARN, "username": read.Spec.Username, "groups": groups},
	}}
	if read.Metadata.Created != "" {
		mapping.Object["metadata"].(map[string]any)["creationTimestamp"] = read.Metadata.Created
	}
	return mapping, nil
}
