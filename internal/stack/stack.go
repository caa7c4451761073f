// Package stack grows the stack of a goroutine once, while there is little on it to copy.
//
// A goroutine starts with a small stack. Each time that it needs a larger one, Go copies
// it, and reads the tables of every function on it: pages of the program that little else
// needs.
package stack

// Initialization of the packages needs 12 KiB. This package imports none, so Go
// initializes it before those that need more than the stack has.
var _ = grow12(0)

// Grow8 makes room for 8 KiB.
func Grow8() { grow8(0) }

// Grow12 makes room for 12 KiB.
func Grow12() { grow12(0) }

// The stack grows for the array at every call, but only the branch that is never taken
// clears it: clearing 8 KiB takes longer than the rest of a call. The compiler would remove
// an array whose result has no use.

//go:noinline
func grow8(i int) byte {
	if i == 0 {
		return 0
	}
	var room [8 << 10]byte
	return room[i]
}

//go:noinline
func grow12(i int) byte {
	if i == 0 {
		return 0
	}
	var room [12 << 10]byte
	return room[i]
}
