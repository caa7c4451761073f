package authn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// A cacheKey is an HMAC over a cluster and a whole token. By the token alone one
// cluster would accept what is for another, and by the access key ID alone anyone
// could have a victim refused.
//
// A token has one spelling that is accepted, so that nobody can ask STS about it
// again by another.
type cacheKey [sha256.Size]byte

// A keyer makes keys with a secret: tokens are credentials, so none is kept, and
// nobody can choose keys that collide.
type keyer struct{ hashers sync.Pool }

// A hasher is kept for the next key, since to make an HMAC costs as much as to
// use it.
type hasher struct {
	mac hash.Hash
	// input begins with the cluster.
	input []byte
}

func newKeyer(clusterID string) *keyer {
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails
	// The length tells where the cluster's ID ends.
	prefix := append(binary.BigEndian.AppendUint32(nil, uint32(len(clusterID))), clusterID...)
	return &keyer{sync.Pool{New: func() any {
		return &hasher{mac: hmac.New(sha256.New, secret), input: prefix[:len(prefix):len(prefix)]}
	}}}
}

func (k *keyer) key(bearer string) (key cacheKey) {
	h := k.hashers.Get().(*hasher)
	defer k.hashers.Put(h)
	prefix := len(h.input)
	h.input = append(h.input, bearer...)
	h.mac.Reset()
	h.mac.Write(h.input)
	h.mac.Sum(key[:0])
	// A token is a credential.
	clear(h.input[prefix:])
	h.input = h.input[:prefix]
	return key
}
