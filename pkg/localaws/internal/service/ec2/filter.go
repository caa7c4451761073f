package ec2

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// A filter selects the things for which one value of a field matches one of its
// patterns.
type filter struct {
	Name  string
	Value []string
}

const (
	maxFilterValues = 200
	maxFilterValue  = 255 // in characters
)

// A field returns the values of a thing that a filter compares.
type field[T any] func(T) []string

// one returns a field that has one value.
func one[T any](of func(T) string) field[T] {
	return func(item T) []string { return []string{of(item)} }
}

// filtered returns the things that every filter matches; fields are by the names of
// filters. With tags, those on tags are among them.
func filtered[T any](filters []filter, all []T, by map[string]field[T], tags func(T) map[string]string) ([]T, error) {
	for _, f := range filters {
		values, err := fieldOf(f.Name, by, tags)
		if err != nil {
			return nil, err
		}
		if len(f.Value) > maxFilterValues {
			return nil, refuse("FilterLimitExceeded", "The maximum number of filter values specified on a single call is "+strconv.Itoa(maxFilterValues))
		}
		if slices.ContainsFunc(f.Value, func(value string) bool { return utf8.RuneCountInString(value) > maxFilterValue }) {
			return nil, refuse("FilterLimitExceeded", "The maximum length for a filter value is "+strconv.Itoa(maxFilterValue)+" characters")
		}
		matches := like(f.Value)
		all = slices.DeleteFunc(slices.Clone(all), func(item T) bool { return !slices.ContainsFunc(values(item), matches) })
	}
	return all, nil
}

// fieldOf returns the field that a filter compares.
func fieldOf[T any](name string, by map[string]field[T], tags func(T) map[string]string) (field[T], error) {
	supported := slices.Sorted(maps.Keys(by))
	if tags != nil {
		if key, ok := strings.CutPrefix(name, "tag:"); ok {
			return func(item T) []string {
				if value, ok := tags(item)[key]; ok {
					return []string{value}
				}
				return nil
			}, nil
		}
		if name == "tag-key" {
			return func(item T) []string { return slices.Collect(maps.Keys(tags(item))) }, nil
		}
		supported = append(supported, "tag:KEY", "tag-key")
	}
	// AWS also takes some names in camel case: isDefault.
	for _, spelled := range []string{name, kebab(name)} {
		if values, ok := by[spelled]; ok {
			return values, nil
		}
	}
	return nil, unsupported("InvalidParameterValue", "localaws does not support the filter '"+name+"' here (supported: "+strings.Join(supported, ", ")+")")
}

func kebab(name string) string {
	var b strings.Builder
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('-')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// like reports whether a value matches one of the patterns of a filter. A backslash takes
// the next character literally.
func like(patterns []string) func(string) bool {
	return func(text string) bool {
		return slices.ContainsFunc(patterns, func(wanted string) bool { return pattern.Wildcard{Escape: '\\'}.Match(wanted, text) })
	}
}
