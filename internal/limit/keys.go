package limit

import (
	"container/list"
	"strings"
	"time"
)

// maxKeys bounds the known access keys of all clusters together.
const maxKeys = 16_384

// keys are the access keys that signed in within the last hour. If there are too many,
// the cluster with the most loses its oldest: however many keys sign in to one cluster,
// the others keep theirs.
//
// They are not safe for concurrent use.
type keys struct {
	most     int
	known    map[knownKey]*list.Element
	clusters map[string]*list.List // of *timedKey, the latest first
}

type timedKey struct {
	key     knownKey
	expires time.Time
}

func newKeys(most int) *keys {
	return &keys{most: most, known: map[knownKey]*list.Element{}, clusters: map[string]*list.List{}}
}

func (k *keys) add(key knownKey, now time.Time) {
	of := k.clusters[key.cluster]
	if of == nil {
		of = list.New()
		k.clusters[key.cluster] = of
	}
	if element, ok := k.known[key]; ok {
		element.Value.(*timedKey).expires = now.Add(provenFor)
		of.MoveToFront(element)
	} else {
		key.accessKeyID = strings.Clone(key.accessKeyID) // a substring would keep the whole token, a credential, in memory
		k.known[key] = of.PushFront(&timedKey{key, now.Add(provenFor)})
	}
	for oldest := of.Back(); now.After(oldest.Value.(*timedKey).expires); oldest = of.Back() {
		k.remove(oldest)
	}
	if len(k.known) > k.most {
		k.remove(k.largest().Back())
	}
}

// has reports whether a key signed in within the last hour.
func (k *keys) has(key knownKey, now time.Time) bool {
	element, ok := k.known[key]
	return ok && !now.After(element.Value.(*timedKey).expires)
}

func (k *keys) largest() (most *list.List) {
	for _, of := range k.clusters {
		if most == nil || of.Len() > most.Len() {
			most = of
		}
	}
	return most
}

func (k *keys) remove(element *list.Element) {
	key := element.Value.(*timedKey).key
	delete(k.known, key)
	of := k.clusters[key.cluster]
	if of.Remove(element); of.Len() == 0 {
		delete(k.clusters, key.cluster)
	}
}
