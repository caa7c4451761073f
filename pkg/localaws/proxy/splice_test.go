package proxy_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

// A duplex is an end of a connection whose directions are two pipes, so that each ends
// alone.
type duplex struct {
	net.Conn // what it reads
	out      net.Conn
}

func connected() (one, other *duplex) {
	in, there := net.Pipe()
	back, out := net.Pipe()
	return &duplex{in, out}, &duplex{back, there}
}

func (d *duplex) Write(b []byte) (int, error) { return d.out.Write(b) }
func (d *duplex) CloseWrite() error           { return d.out.Close() }
func (d *duplex) Close() error                { return errors.Join(d.Conn.Close(), d.out.Close()) }
func (d *duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.Conn.SetDeadline(t), d.out.SetDeadline(t))
}

// TestHalfOpenEnds checks that once one direction has ended, the other carries data for a
// minute, and that both connections then close.
func TestHalfOpenEnds(t *testing.T) {
	for name, second := range map[string]bool{"the first": false, "the second": true} {
		synctest.Test(t, func(t *testing.T) {
			client, near := connected()
			server, far := connected()
			if second {
				near, far = far, near
			}
			spliced := make(chan struct{})
			go func() { defer close(spliced); proxy.Splice(near, far) }()
			begun := time.Now()
			if err := client.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(server); err != nil || len(text) != 0 {
				t.Errorf("%s: %q, %v", name, text, err)
			}
			go func() {
				time.Sleep(59 * time.Second)
				_, _ = io.WriteString(server, "late")
			}()
			if text, err := io.ReadAll(client); err != nil || string(text) != "late" {
				t.Errorf("%s: %q, %v", name, text, err)
			}
			<-spliced
			if took := time.Since(begun); took != time.Minute {
				t.Errorf("%s: ended after %v, want a minute", name, took)
			}
		})
	}
}
