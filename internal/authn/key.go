package authn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// A cacheKey is an HMAC over a cluster and a whole token. With only the token, a
// cluster would accept tokens for another. With only the access key ID, anyone could
// cause a victim's token to be refused.
//
// Only one spelling of a token is accepted, so that other spellings cannot cause
// more calls of STS.
type cacheKey [sha256.Size]byte

// A keyer computes keys with a secret: it stores no tokens, which are credentials,
// and nobody can choose tokens that collide.
type keyer struct{ hashers sync.Pool }

// A hasher is reused for the next key, since creating an HMAC costs as much as
// computing one.
type hasher struct {
	mac hash.Hash
	// input begins with the cluster.
	input []byte
}

func newKeyer(clusterID string) *keyer {
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails
	// The length marks the end of the cluster's ID.
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
