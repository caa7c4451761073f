package server

// ballastBytes is how much more memory the server takes at most because of the ballast.
const ballastBytes = 8 << 20

// newBallast returns memory that is reserved but never touched, so that it is not
// resident. The garbage collector counts it as live and so runs less often: with a
// live heap of L, it runs each time the server has allocated L + 8 MiB, instead of L.
// Without it, collecting a heap as small as the server's takes a tenth of its CPU time.
//
// A ballast adds a constant. GOGC multiplies: with GOGC=200, a flood takes the server
// beyond the memory limit of the manifests.
//
// It must be allocated first. Later, the heap may have room for it that was used
// before, and the runtime would clear that, and so touch it.
func newBallast() []byte { return make([]byte, ballastBytes) }
