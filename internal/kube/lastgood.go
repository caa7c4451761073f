package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/dynamic"
)

// AWSAuthLastGood is the name of the ConfigMap with the last good content of aws-auth.
// The manifests create it, and servers update it.
const AWSAuthLastGood = "aws-auth-last-good"

// ErrUnusable means that the ConfigMap of the last good content has none, or none that
// can be read.
var ErrUnusable = errors.New("no usable content")

// LastGood is the last good content of one aws-auth.
type LastGood struct {
	// UID and ResourceVersion are those of the aws-auth that was read. They make N
	// servers that read the same edit write one entry.
	UID             types.UID
	ResourceVersion string
	// Sections are the sections that parsed, and those that no longer do, by name.
	Sections map[string]LastGoodSection
}

// LastGoodSection is the last good content of a section.
type LastGoodSection struct {
	// Text is the text that parsed. When saving, an empty text keeps the one that is
	// saved.
	Text string `json:"text"`
	// KeptSince is since when aws-auth no longer has the text; zero while it has.
	KeptSince time.Time `json:"keptSince,omitzero"`
}

// over returns the content after an earlier one: sections without a text have the
// earlier text, and are dropped if there is none.
func (l LastGood) over(earlier LastGood) LastGood {
	sections := map[string]LastGoodSection{}
	for name, section := range l.Sections {
		if section.Text == "" && earlier.UID == l.UID {
			before := earlier.Sections[name]
			section.Text = before.Text
			if !before.KeptSince.IsZero() {
				section.KeptSince = before.KeptSince
			}
		}
		sections[name] = section
	}
	l.Sections = sections
	return l
}

// covers reports whether the content is that of another or of a later edit, so that the
// other adds nothing.
func (l LastGood) covers(other LastGood) bool {
	if l.UID != other.UID || l.ResourceVersion == "" {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(l.ResourceVersion, other.ResourceVersion)
	return l.ResourceVersion == other.ResourceVersion || err == nil && order > 0
}

// TextsOf returns the saved texts of sections of an aws-auth; none of another one.
func (l LastGood) TextsOf(uid types.UID, sections []string) map[string]string {
	texts := map[string]string{}
	for _, name := range sections {
		if section, ok := l.Sections[name]; ok && l.UID == uid {
			texts[name] = section.Text
		}
	}
	return texts
}

// GetLastGood returns the saved content. The error matches [ErrUnusable] if there is
// none that can be read; asking again does not help then.
func GetLastGood(ctx context.Context, configMaps dynamic.ResourceInterface) (LastGood, error) {
	object, err := getLastGood(ctx, configMaps)
	if err != nil {
		return LastGood{}, err
	}
	return decodeLastGood(object)
}

func getLastGood(ctx context.Context, configMaps dynamic.ResourceInterface) (*unstructured.Unstructured, error) {
	object, err := configMaps.Get(ctx, AWSAuthLastGood, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("reading ConfigMap kube-system/%s: %w: it does not exist (apply the manifest that creates it)", AWSAuthLastGood, ErrUnusable)
	case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return nil, fmt.Errorf("reading ConfigMap kube-system/%s: %w: %w", AWSAuthLastGood, ErrUnusable, err)
	case err != nil:
		return nil, fmt.Errorf("reading ConfigMap kube-system/%s: %w", AWSAuthLastGood, err)
	}
	return object, nil
}

// putLastGood saves content unless that edit, or a later one, is saved already. If
// another server writes at the same time, it looks again.
func putLastGood(ctx context.Context, configMaps dynamic.ResourceInterface, content LastGood) (wrote bool, err error) {
	const attempts = 10
	for range attempts {
		object, err := getLastGood(ctx, configMaps)
		if err != nil {
			return false, err
		}
		// What cannot be read is overwritten.
		saved, err := decodeLastGood(object)
		if err == nil && saved.covers(content) {
			return false, nil
		}
		if err := encodeLastGood(object, content.over(saved)); err != nil {
			return false, err
		}
		if _, err = configMaps.Update(ctx, object, metav1.UpdateOptions{}); err == nil {
			return true, nil
		}
		if !apierrors.IsConflict(err) {
			return false, fmt.Errorf("writing ConfigMap kube-system/%s: %w", AWSAuthLastGood, err)
		}
	}
	return false, fmt.Errorf("writing ConfigMap kube-system/%s: others changed it %d times in a row", AWSAuthLastGood, attempts)
}

// withText returns the sections that have a text.
func withText(sections map[string]LastGoodSection) map[string]LastGoodSection {
	sections = maps.Clone(sections)
	maps.DeleteFunc(sections, func(_ string, s LastGoodSection) bool { return s.Text == "" })
	return sections
}
