package crd

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// limits bound what is kept of all objects together.
type limits struct{ objects, bytes int }

// defaultLimits are far above what a cluster needs.
func defaultLimits() limits { return limits{objects: 20_000, bytes: 16 << 20} }

// A store keeps the objects that a reflector reads. Beyond its limits it keeps the
// oldest: whoever floods the cluster with objects takes away no access.
type store struct {
	limits limits
	// changed and touched each get a value after a change: of a mapping, or of statuses
	// alone.
	changed, touched chan struct{}
	// relist gets a value if only a list shows which objects are the oldest.
	relist chan struct{}
	// options are those for parsing a new mapping.
	options awsauth.Options

	mu      sync.Mutex
	objects map[string]*object
	bytes   int
	// left are the youngest objects that the last list left out, at most maxLeft of them,
	// and leftOut is how many there are.
	left    []*object
	leftOut int
	listed  bool
	failure failure
	// revision counts the changes of mappings.
	revision int
}

// maxLeft is the number of objects beyond the limits that get a condition.
const maxLeft = 1000

func newStore(limits limits, options awsauth.Options) *store {
	return &store{
		limits: limits, options: options, objects: map[string]*object{},
		changed: make(chan struct{}, 1), touched: make(chan struct{}, 1), relist: make(chan struct{}, 1),
	}
}

// contents is what a store holds.
type contents struct {
	// objects are sorted, the oldest first.
	objects, left []*object
	leftOut       int
	listed        bool
	failure       failure
	revision      int
}

func (s *store) contents() contents {
	s.mu.Lock()
	defer s.mu.Unlock()
	return contents{slices.SortedFunc(maps.Values(s.objects), compareAge), s.left, s.leftOut, s.listed, s.failure, s.revision}
}

// fail sets why the objects cannot be read, and reports whether that is new. The zero
// failure means that they can be read.
func (s *store) fail(f failure) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == f {
		return false
	}
	s.failure = f
	s.change()
	return true
}

// change announces a change of a mapping.
func (s *store) change() {
	s.revision++
	signal(s.changed)
}

// Replace keeps the objects of a list.
func (s *store) Replace(list []any, _ string) error {
	objects := make([]*object, 0, len(list))
	for _, value := range list {
		if o := objectOf(value); o != nil {
			objects = append(objects, o)
		}
	}
	slices.SortFunc(objects, compareAge)
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.objects
	s.objects, s.bytes, s.left, s.leftOut, s.listed = make(map[string]*object, len(objects)), 0, nil, 0, true
	for i, o := range objects {
		if s.exceeds(1, o.size()) {
			s.left, s.leftOut = slices.Clone(objects[i:min(len(objects), i+maxLeft)]), len(objects)-i
			break
		}
		s.keep(o, known[o.Name])
	}
	s.change()
	return nil
}

// exceeds reports whether more objects and bytes would exceed the limits.
func (s *store) exceeds(objects, bytes int) bool {
	return len(s.objects)+objects > s.limits.objects || s.bytes+bytes > s.limits.bytes
}

// Add keeps an object that was created.
func (s *store) Add(value any) error { return s.Update(value) }

// Update keeps the new version of an object.
func (s *store) Update(value any) error {
	o := objectOf(value)
	if o == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.objects[o.Name]
	switch {
	case known && before.maps(o):
		s.remove(before)
		s.keep(o, before)
		signal(s.touched)
	case !known && s.leftOut > 0: // it is one of those, or younger
		s.leave()
	case known:
		s.remove(before)
		fallthrough
	default:
		if s.exceeds(1, o.size()) {
			s.leave()
		} else {
			s.keep(o, nil)
		}
		s.change()
	}
	return nil
}

// keep keeps an object. Before is its previous version; nil if there is none.
func (s *store) keep(o, before *object) {
	if before != nil && before.maps(o) {
		o.spec, o.parsed = before.spec, before.parsed
	} else {
		o.parsed = o.parse(s.options)
	}
	s.objects[o.Name] = o
	s.bytes += o.size()
}

// leave leaves an object out. A list finds out which one is the youngest.
func (s *store) leave() {
	s.leftOut++
	signal(s.relist)
}

// Delete removes an object at once, and asks for a list if that leaves room for others.
func (s *store) Delete(value any) error {
	o := objectOf(value)
	if o == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, known := s.objects[o.Name]; known {
		s.remove(before)
		s.change()
	}
	if s.leftOut > 0 {
		signal(s.relist)
	}
	return nil
}

func (s *store) remove(o *object) {
	delete(s.objects, o.Name)
	s.bytes -= o.size()
}

// Resync does nothing: the source does not look at unchanged objects again.
func (s *store) Resync() error { return nil }

// Transformer returns the conversion of an object as soon as it is read, so that a list
// does not hold the objects of the API server.
func (s *store) Transformer() cache.TransformFunc {
	return func(value any) (any, error) {
		if o := objectOf(value); o != nil {
			return o, nil
		}
		return value, nil
	}
}

func objectOf(value any) *object {
	switch value := value.(type) {
	case *object:
		return value
	case *unstructured.Unstructured:
		return newObject(value)
	default: // no API server sends another
		return nil
	}
}

// signal sends a value unless one waits already.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var _ cache.TransformingStore = (*store)(nil)
