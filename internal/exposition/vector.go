package exposition

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// A Vector has a series for each combination of label values.
type Vector[S series] struct {
	of   *Family
	make func() S

	mu sync.RWMutex
	// byValues has the series by the values of their labels, joined.
	byValues map[string]S
}

// series is what has one combination of label values.
type series interface {
	write(t *text, name, labels string)
}

const separator = "\xff" // in no UTF-8 text

func add[S series](r *Registry, kind Kind, name, help string, labels []string, make func() S) *Vector[S] {
	v := &Vector[S]{of: &Family{name: r.prefix + name, help: help, kind: kind, labels: labels}, make: make, byValues: map[string]S{}}
	r.metrics = append(r.metrics, v)
	return v
}

// With returns the series with these values of the labels. It is exposed from then on.
func (v *Vector[S]) With(values ...string) S {
	key := strings.Join(values, separator)
	v.mu.RLock()
	s, ok := v.byValues[key]
	v.mu.RUnlock()
	if ok {
		return s
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if s, ok = v.byValues[key]; !ok {
		s = v.make()
		v.byValues[key] = s
	}
	return s
}

func (v *Vector[S]) family() *Family { return v.of }

func (v *Vector[S]) write(t *text) {
	v.mu.RLock()
	byValues := maps.Clone(v.byValues)
	v.mu.RUnlock()
	if len(byValues) > 0 {
		t.header(v.of)
	}
	for _, key := range slices.Sorted(maps.Keys(byValues)) {
		byValues[key].write(t, v.of.name, format(v.of.labels, strings.Split(key, separator)))
	}
}
