package httpserver_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOutOfFilesForReal runs a server that may open few files, in a process of its
// own, and opens more connections than that.
func TestOutOfFilesForReal(t *testing.T) {
	const few = 40
	if os.Getenv("SERVE_WITH_FEW_FILES") != "" {
		s := serve(t, atOnce)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: few, Max: few}); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("address=" + s.address + "\n")
		s.logged.await("out of file descriptors")
		os.Stdout.WriteString("out of files\n")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until it is closed
		os.Stdout.WriteString(s.logged.String())
		s.end(t)
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestOutOfFilesForReal$")
	child.Env = append(os.Environ(), "SERVE_WITH_FEW_FILES=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	output := bufio.NewReader(stdout)
	line, err := output.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "address=")
	if err != nil || !ok {
		t.Fatalf("the server says %q, %v", line, err)
	}
	var silent []net.Conn
	for range 2 * few {
		conn, err := net.DialTimeout("tcp", address, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, conn)
	}
	if line, err := output.ReadString('\n'); err != nil || line != "out of files\n" {
		t.Fatalf("the server says %q, %v", line, err)
	}
	for _, conn := range silent {
		_ = conn.Close()
	}
	client := newClient(t, true)
	if err := ask(client, "https://"+address+"/"); err != nil {
		t.Errorf("once there are files again: %v", err)
	}
	client.CloseIdleConnections()
	_ = stdin.Close()
	var logged strings.Builder
	if _, err := output.WriteTo(&logged); err != nil {
		t.Error(err)
	}
	if err := child.Wait(); err != nil {
		t.Errorf("the server: %v", err)
	}
	if !strings.Contains(logged.String(), "level=ERROR") || !strings.Contains(logged.String(), "out of file descriptors") {
		t.Errorf("it logs %s", logged.String())
	}
}
