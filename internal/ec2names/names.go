package ec2names

import (
	"container/list"
	"iter"
	"time"
)

// A holding is an instance's name, and the time of the call that confirmed it.
type holding struct {
	id, name string
	asked    time.Time
}

// names stores which instance holds which name: an instance has at most one name,
// and a name at most one instance. It is not safe for concurrent use.
type names struct {
	size         int
	byID, byName map[string]*list.Element
	// byAge starts with the holding that was confirmed longest ago.
	byAge *list.List
}

func newNames(size int) *names {
	return &names{size: size, byID: map[string]*list.Element{}, byName: map[string]*list.Element{}, byAge: list.New()}
}

// of returns the holding of an instance.
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

// hold replaces the name of an instance. No other instance may hold the new one. At
// the maximum size, hold drops the holding that was confirmed longest ago.
func (n *names) hold(h holding) {
	n.drop(h.id)
	if len(n.byID) >= n.size {
		n.drop(n.byAge.Front().Value.(holding).id)
	}
	e := n.byAge.PushBack(h)
	n.byID[h.id], n.byName[h.name] = e, e
}

// drop removes the holding of an instance.
func (n *names) drop(id string) {
	if e, ok := n.byID[id]; ok {
		n.byAge.Remove(e)
		delete(n.byID, id)
		delete(n.byName, e.Value.(holding).name)
	}
}

// askedBefore returns the instances that were last asked for before a time, the
// oldest first.
func (n *names) askedBefore(t time.Time) iter.Seq[string] {
	return func(yield func(string) bool) {
		for e := n.byAge.Front(); e != nil; e = e.Next() {
			if h := e.Value.(holding); !h.asked.Before(t) || !yield(h.id) {
				return
			}
		}
	}
}
