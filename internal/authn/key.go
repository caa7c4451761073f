package authn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/kube-iam/authenticator/pkg/token"
)

// cacheKey is an HMAC over a cluster and a whole token: by the token alone one
// cluster would accept what is for another, and by access key ID alone anyone
// could have a victim refused.
type cacheKey [sha256.Size]byte

// A keyer makes keys with a secret: tokens are credentials, so none is kept, and
// nobody can choose keys that collide.
type keyer struct{ hashers sync.Pool }

// A hasher is kept for the next key, since to make an HMAC costs as much as to
// use it.
type hasher struct {
	mac   hash.Hash
	input []byte
}

func newKeyer() *keyer {
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails
	return &keyer{sync.Pool{New: func() any { return &hasher{mac: hmac.New(sha256.New, secret)} }}}
}

func (k *keyer) key(clusterID string, req token.Request) (key cacheKey) {
	h := k.hashers.Get().(*hasher)
	defer k.hashers.Put(h)
	// The length tells where the cluster's ID ends.
	h.input = binary.BigEndian.AppendUint32(h.input[:0], uint32(len(clusterID)))
	h.input = append(h.input, clusterID...)
	h.input = append(h.input, req.URL()...)
	h.mac.Reset()
	h.mac.Write(h.input)
	// The input is a credential.
	clear(h.input)
	copy(key[:], h.mac.Sum(h.input[:0]))
	return key
}
