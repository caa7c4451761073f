package envtest

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

// TestCheckFree checks that the error for an address in use names it and the remedy.
func TestCheckFree(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	address := other.Addr().String()
	err = checkFree("kube-apiserver", "https://"+address, "lab down --dir x")
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "kube-apiserver of the lab that was killed listened on "+address) || !strings.Contains(err.Error(), "lab down --dir x)") {
		t.Errorf("in use: %v", err)
	}
	// A port that was free a moment ago may be in use by another test: port 0 is always free.
	if err := checkFree("kube-apiserver", "https://127.0.0.1:0", "lab down --dir x"); err != nil {
		t.Errorf("free: %v", err)
	}
}
