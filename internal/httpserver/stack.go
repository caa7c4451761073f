package httpserver

// growStack grows the stack of a new goroutine once, while there is little on it to
// copy. net/http starts a goroutine with 2 KiB for each request, and a decision needs
// 8 KiB. Without growStack, growing takes a tenth of the time of a request.
//
// Callers pass 0. The stack grows for the array at every call, but only the branch
// that is never taken clears it: clearing 8 KiB takes longer than the rest of the
// call. The compiler would remove an array whose result has no use.
//
//go:noinline
func growStack(i int) byte {
	if i == 0 {
		return 0
	}
	var room [8 << 10]byte
	return room[i]
}
