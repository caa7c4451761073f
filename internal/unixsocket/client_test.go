package unixsocket

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOwner checks whose sockets a user trusts.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a socket to others")
	}
	const one, other = 12345, 12346
	dir := t.TempDir()
	path := filepath.Join(dir, "authenticator.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, test := range []struct {
		socket, dir int
		user        uint32
		trusted     bool
	}{
		{0, 0, 0, true},
		{one, one, one, true},
		{0, one, one, true},
		{one, one, 0, true}, // a server that is not root's, in its state directory
		{one, 0, 0, false},  // such as in /tmp
		{other, one, 0, false},
		{other, one, one, false},
		{other, other, one, false},
	} {
		if err := os.Chown(path, test.socket, -1); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, test.dir, -1); err != nil {
			t.Fatal(err)
		}
		if err := checkOwner(path, test.user); (err == nil) != test.trusted {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if err := os.Chown(dir, 0, -1); err != nil {
		t.Fatal(err)
	}
	response, err := NewClient(path).Get(URL)
	if err == nil {
		_ = response.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "connecting to socket "+path+": it belongs to user 12346: expected a socket of root or of user 0") {
		t.Errorf("the client: %v", err)
	}
	if err := checkOwner(filepath.Join(dir, "none"), one); err != nil {
		t.Errorf("without a socket: %v", err)
	}
}

// TestClientOfALongPath checks that the error says what is wrong with the path.
func TestClientOfALongPath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	response, err := NewClient(path).Get(URL)
	if err == nil {
		_ = response.Body.Close()
	}
	if err == nil || !strings.HasSuffix(err.Error(), "connecting to socket "+path+": the path is too long for a socket (choose a shorter directory)") {
		t.Errorf("the client: %v", err)
	}
}
