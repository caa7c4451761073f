package limit

const (
	// ownSlots and reservedSlots are how many requests are under way at once at a
	// host that has a pool of its own: MaxPerHost together.
	ownSlots      = 48
	reservedSlots = 16
	// MaxPerHost is how many requests are under way at one host at most, so that a
	// client of STS can keep as many connections.
	MaxPerHost = ownSlots + reservedSlots
)

// A pool is what requests to one host, or to the hosts that share it, compete for.
type pool struct {
	// general is for everybody; its members are hosts. reserved is for known keys,
	// which are its members. A key takes an eighth of it at most, since key IDs are
	// no secret.
	general, reserved *gate
}

// newOwnPool is the pool of one host.
func newOwnPool() *pool {
	return &pool{
		general:  newGate(bounds{slots: ownSlots, places: 128, bytes: 512 << 10, share: 1}),
		reserved: newReserved(),
	}
}

// newSharedPool is the pool of all hosts that have none of their own. A host
// takes half of it at most: a host that does not answer leaves the other half.
func newSharedPool() *pool {
	return &pool{
		general:  newGate(bounds{slots: 16, places: 256, bytes: 1 << 20, share: 2}),
		reserved: newReserved(),
	}
}

func newReserved() *gate {
	return newGate(bounds{slots: reservedSlots, places: 32, bytes: 256 << 10, share: 8})
}
