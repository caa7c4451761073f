package httpserver

// growStack has the stack of a new goroutine grow once, while there is little on it
// to copy. It starts with 2 KiB, net/http starts one for each request, and a
// decision needs 8 KiB: growing on the way takes a tenth of a request's time.
//
// What it returns means nothing. Without the parameter the compiler would do
// without the array.
//
//go:noinline
func growStack(i int) byte {
	var room [8 << 10]byte
	return room[i]
}
