package freeport

import (
	"net"
	"testing"
)

// TestReserve reserves so many ports that some would come twice if they could.
func TestReserve(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 40 {
		ports, release, err := Reserve(10)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		for _, port := range ports {
			if seen[port] {
				t.Errorf("port %d is reserved twice", port)
			}
			seen[port] = true
		}
	}
	if len(seen) != 400 {
		t.Errorf("%d ports, want 400", len(seen))
	}
}

// TestAddress listens on an address that it found.
func TestAddress(t *testing.T) {
	t.Parallel()
	address, err := Address()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
}
