package crd

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// An Edit is what the edit of one object does to the mappings of all objects.
type Edit struct {
	Before, After *mapper.Table
	// Was and Is are the problems of the object before and after the edit.
	Was, Is []mapper.Problem
}

// Edit returns what an edit of an object would do. Old is nil if the object is created,
// and updated is nil if it is deleted. Edit returns false until the objects are read.
func (c *CRD) Edit(old, updated *unstructured.Unstructured) (e Edit, read bool) {
	contents := c.store.contents()
	if !contents.listed {
		return e, false
	}
	e.Before, e.Was = c.judgeWith(contents.objects, old, updated)
	e.After, e.Is = c.judgeWith(contents.objects, updated, old)
	return e, true
}

// judgeWith returns the mappings of objects if one is in place of another, and its
// problems. Both have the same name, and either may be nil.
func (c *CRD) judgeWith(objects []*object, one, other *unstructured.Unstructured) (*mapper.Table, []mapper.Problem) {
	objects = slices.DeleteFunc(slices.Clone(objects), func(o *object) bool {
		return one != nil && o.Name == one.GetName() || other != nil && o.Name == other.GetName()
	})
	section := ""
	if one != nil {
		o := newObject(one)
		if o.CreationTimestamp.IsZero() { // as in a dry run of the client
			o.CreationTimestamp = metav1.NewTime(c.config.Now())
		}
		o.parsed = o.parse(c.config.Options)
		at, _ := slices.BinarySearchFunc(objects, o, compareAge)
		objects, section = slices.Insert(objects, at, o), sectionOf(o.Name)
	}
	judged := judge(objects, c.config.Options.RolePaths, c.config.ReservedPrefixes)
	return judged.table, slices.DeleteFunc(judged.problems, func(p mapper.Problem) bool { return p.Section != section })
}
