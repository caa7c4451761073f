package crd

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// The limits of what is kept of an object. Each is above the limit of a mapping, so
// that an object that exceeds one is invalid with or without the rest.
const (
	keptText   = 4096
	keptGroups = 1000
)

// An object is an IAMIdentityMapping. It does not change once it is in the store, and has
// only what the source needs: the rest of an object may be large.
type object struct {
	// ObjectMeta has the name, the UID, the generation and the creation time.
	metav1.ObjectMeta
	spec awsauth.Object
	// fault is why the spec is not that of an IAMIdentityMapping; empty if it is.
	fault  string
	status status
	parsed parsed
}

// parsed is the mapping of an object by itself.
type parsed struct {
	entry    mapper.Entry
	kept     bool
	problems []mapper.Problem
	// canonicalARN is that of the status, and mapped the condition if the entry applies.
	canonicalARN string
	mapped       condition
}

// status is the part of an object's status that the source writes.
type status struct {
	canonicalARN string
	inForce      condition
}

// condition is a condition of an object, without the time of its last transition.
type condition struct {
	status, reason, message string
	observedGeneration      int64
}

// newObject reads an object of the API server. It takes any: a wrong type is a fault of
// the object, which must not hide the others.
func newObject(u *unstructured.Unstructured) *object {
	o := &object{ObjectMeta: metav1.ObjectMeta{
		Name: u.GetName(), UID: u.GetUID(), Generation: u.GetGeneration(), CreationTimestamp: u.GetCreationTimestamp(),
	}}
	spec, err := readSpec(u)
	if err != nil {
		o.fault = clip(err.Error())
	}
	o.spec, o.status = spec, readStatus(u)
	return o
}

func readSpec(u *unstructured.Unstructured) (spec awsauth.Object, err error) {
	var errs [2]error
	spec.ARN, _, errs[0] = unstructured.NestedString(u.Object, "spec", "arn")
	spec.Username, _, errs[1] = unstructured.NestedString(u.Object, "spec", "username")
	spec.ARN, spec.Username = clip(spec.ARN), clip(spec.Username)
	if err := errors.Join(errs[:]...); err != nil {
		return spec, errors.New("spec.arn or spec.username is not text")
	}
	value, _, err := unstructured.NestedFieldNoCopy(u.Object, "spec", "groups")
	if err != nil {
		return spec, errors.New("spec is not an object")
	}
	if value == nil {
		return spec, nil
	}
	groups, ok := value.([]any)
	if !ok {
		return spec, errors.New("spec.groups is not a list")
	}
	for i, value := range groups[:min(len(groups), keptGroups)] {
		group, ok := value.(string)
		if !ok {
			return spec, fmt.Errorf("spec.groups[%d] is not text", i)
		}
		spec.Groups = append(spec.Groups, clip(group))
	}
	return spec, nil
}

func readStatus(u *unstructured.Unstructured) (s status) {
	arn, _, _ := unstructured.NestedString(u.Object, "status", "canonicalARN")
	s.canonicalARN = clip(arn)
	value, _, _ := unstructured.NestedFieldNoCopy(u.Object, "status", "conditions")
	conditions, _ := value.([]any)
	for _, value := range conditions {
		c, ok := value.(map[string]any)
		if !ok || c["type"] != conditionInForce {
			continue
		}
		text := func(key string) string { value, _ := c[key].(string); return clip(value) }
		generation, _ := c["observedGeneration"].(int64)
		s.inForce = condition{text("status"), text("reason"), text("message"), generation}
	}
	return s
}

// clip returns a text of at most keptText bytes. It cuts no character in two: JSON has
// another character in its place, so that a status would never be as it was written.
func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), keptText)], "")
}

// size returns about how many bytes the texts of the mapping have.
func (o *object) size() int {
	size := len(o.spec.ARN) + len(o.spec.Username)
	for _, group := range o.spec.Groups {
		size += len(group)
	}
	return size
}

// maps reports whether two versions of an object map the same principal to the same
// user.
func (o *object) maps(other *object) bool {
	return o.UID == other.UID && o.fault == other.fault && o.spec.ARN == other.spec.ARN && o.spec.Username == other.spec.Username &&
		slices.Equal(o.spec.Groups, other.spec.Groups)
}

// compareAge sorts the oldest object first. The times have a resolution of a second, so
// the name decides between equal ones.
func compareAge(a, b *object) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

// sectionOf returns the name of an object in rules, which kubectl accepts as an argument.
func sectionOf(name string) string { return "iamidentitymapping/" + name }

// parse reads the mapping of an object.
func (o *object) parse(options awsauth.Options) (p parsed) {
	rule := mapper.Rule{Source: options.Source, Section: sectionOf(o.Name), Line: o.spec.Places.Object.Line}
	if o.fault == "" {
		p.entry, p.kept, p.problems = awsauth.ParseObject(o.spec, rule, options)
		p.mapped = conclude(&p.entry, p.problems)
		if p.kept && p.entry.Inert != mapper.MissWhiteSpace { // as aws-iam-authenticator
			p.canonicalARN = strings.ToLower(p.entry.ARN)
		}
		return p
	}
	p.problems = []mapper.Problem{{
		Code: mapper.EntryWrongType, Severity: mapper.Error, Section: rule.Section, Line: rule.Line, Column: o.spec.Places.Object.Column, Principal: o.spec.ARN,
		Message: o.fault, Effect: "the entry is ignored", Fix: "write spec.arn, spec.username and a list spec.groups",
	}}
	return p
}
