package ec2names

import (
	"container/list"
	"iter"
	"time"
)

// A holding is the name of an instance, and when the call that confirmed it was
// made.
type holding struct {
	id, name string
	asked    time.Time
}

// names remembers which instance holds which name: an instance has one name at
// most, and a name one instance. It is not safe for concurrent use.
type names struct {
	size         int
	byID, byName map[string]*list.Element
	// byAge starts with the holding that was confirmed longest ago.
	byAge *list.List
}

func newNames(size int) *names {
	return &names{size: size, byID: map[string]*list.Element{}, byName: map[string]*list.Element{}, byAge: list.New()}
}

// of returns what an instance holds.
func (n *names) of(id string) (holding, bool) {
	e, ok := n.byID[id]
	if !ok {
		return holding{}, false
	}
	return e.Value.(holding), true
}

// holder returns the instance that holds a name.
func (n *names) holder(name string) (id string, ok bool) {
	e, ok := n.byName[name]
	if !ok {
		return "", false
	}
	return e.Value.(holding).id, true
}

// hold gives an instance a name, which no other may hold, in place of the one it
// has. At the size it forgets the holding that was confirmed longest ago.
func (n *names) hold(h holding) {
	n.drop(h.id)
	if len(n.byID) >= n.size {
		n.drop(n.byAge.Front().Value.(holding).id)
	}
	e := n.byAge.PushBack(h)
	n.byID[h.id], n.byName[h.name] = e, e
}

// drop forgets what an instance holds.
func (n *names) drop(id string) {
	if e, ok := n.byID[id]; ok {
		n.byAge.Remove(e)
		delete(n.byID, id)
		delete(n.byName, e.Value.(holding).name)
	}
}

// askedBefore yields the instances that were last asked for before a time, those
// of the oldest holdings first.
func (n *names) askedBefore(t time.Time) iter.Seq[string] {
	return func(yield func(string) bool) {
		for e := n.byAge.Front(); e != nil; e = e.Next() {
			if h := e.Value.(holding); !h.asked.Before(t) || !yield(h.id) {
				return
			}
		}
	}
}
