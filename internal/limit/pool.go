package limit

const (
	// ownSlots and reservedSlots bound the concurrent requests to a host with its own
	// pool.
	ownSlots      = 48
	reservedSlots = 16
	// MaxPerHost is the maximum of concurrent requests to one host. A client of STS
	// should keep as many connections.
	MaxPerHost = ownSlots + reservedSlots
)

// A pool has the slots for the requests to one host, or to the hosts that share it.
type pool struct {
	// general is for all requests, and its members are hosts. reserved is for known
	// keys, which are its members. A key gets at most an eighth of it, since key IDs
	// are not secret.
	general, reserved *gate
}

// newOwnPool returns the pool of one host.
func newOwnPool(fair bool) *pool {
	return &pool{
		general:  newGate(bounds{slots: ownSlots, places: 128, bytes: 512 << 10, share: 1, fair: fair}),
		reserved: newReserved(fair),
	}
}

// newSharedPool returns the pool of all hosts without their own. A host gets at most
// half of it, so that a host that does not answer leaves the other half.
func newSharedPool(fair bool) *pool {
	return &pool{
		general:  newGate(bounds{slots: 16, places: 256, bytes: 1 << 20, share: 2, fair: fair}),
		reserved: newReserved(fair),
	}
}

func newReserved(fair bool) *gate {
	return newGate(bounds{slots: reservedSlots, places: 32, bytes: 256 << 10, share: 8, fair: fair})
}
