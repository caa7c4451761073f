package crd

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// A Manifest is an IAMIdentityMapping in a file, with the places of its values.
type Manifest struct {
	Object *unstructured.Unstructured
	Places awsauth.Places
}

// Judge reads manifests as the source reads the objects that they make. As kubectl apply
// does, it uses the last manifest of a name. Without a creationTimestamp, objects have
// the same age.
func Judge(manifests []Manifest, options awsauth.Options) source.Snapshot {
	options.AssumedRoles = awsauth.AssumedRolesAsRole
	var replaced []mapper.Problem
	byName := make(map[string]*object, len(manifests))
	for _, m := range manifests {
		o := newObject(m.Object)
		o.spec.Places = m.Places
		if before := byName[o.Name]; before != nil {
			replaced = append(replaced, mapper.Problem{
				Code: mapper.DuplicateEntry, Severity: mapper.Warning, Section: sectionOf(o.Name), Principal: before.spec.ARN,
				Line: before.spec.Places.Object.Line, Column: before.spec.Places.Object.Column,
				Message: fmt.Sprintf("the object in line %d has the same name and replaces it", m.Places.Object.Line), Fix: "remove one of them, or give it another name",
			})
		}
		byName[o.Name] = o
	}
	list := make([]any, 0, len(byName))
	for _, o := range byName {
		list = append(list, o)
	}
	read := snapshotOf(list, options, nil)
	read.Problems = append(first(replaced), read.Problems...)
	return read
}
