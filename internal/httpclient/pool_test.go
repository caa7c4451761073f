package httpclient

import (
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// idler is a connection that knows whether it was closed.
type idler struct {
	net.Conn
	closed atomic.Bool
}

func (i *idler) Close() error { i.closed.Store(true); return nil }

func newIdler(name string) (*idler, *connection) {
	i := &idler{}
	return i, newConnection(origin{"https", name}, i, &socket{Conn: i})
}

func TestPoolClosesIdleConnectionsAfterTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool{max: 9, timeout: time.Minute}
		first, c := newIdler("a")
		p.put(c)
		time.Sleep(30 * time.Second)
		second, c := newIdler("b")
		p.put(c)
		time.Sleep(30*time.Second + time.Millisecond)
		synctest.Wait()
		if !first.closed.Load() || second.closed.Load() {
			t.Errorf("after the timeout of the first: closed %t, %t", first.closed.Load(), second.closed.Load())
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if !second.closed.Load() {
			t.Error("the second is open after its timeout")
		}
	})
}

func TestPoolClosesTheOldestOfTooMany(t *testing.T) {
	t.Parallel()
	p := pool{max: 3, timeout: time.Minute}
	defer p.close()
	var all []*idler
	for host := range 5 {
		i, c := newIdler(strconv.Itoa(host))
		p.put(c)
		all = append(all, i)
	}
	for host, i := range all {
		if want := host < 2; i.closed.Load() != want {
			t.Errorf("connection %d of 5: closed %t, want %t", host+1, i.closed.Load(), want)
		}
	}
}

func TestPoolTakesTheLatestOfAHost(t *testing.T) {
	t.Parallel()
	p := pool{max: 9, timeout: time.Minute}
	defer p.close()
	_, first := newIdler("a")
	_, second := newIdler("a")
	_, other := newIdler("b")
	p.put(first)
	p.put(second)
	p.put(other)
	for i, want := range []*connection{second, first, nil} {
		if got := p.take(origin{"https", "a"}); got != want {
			t.Errorf("connection %d is not the expected one", i+1)
		}
	}
	if p.take(origin{"https", "b"}) != other {
		t.Error("the connection to another host is gone")
	}
}

func TestClosedPoolKeepsNothing(t *testing.T) {
	t.Parallel()
	p := pool{max: 9, timeout: time.Minute}
	before, c := newIdler("a")
	p.put(c)
	p.close()
	after, c := newIdler("a")
	p.put(c)
	if !before.closed.Load() || !after.closed.Load() {
		t.Errorf("closed: %t before, %t after", before.closed.Load(), after.closed.Load())
	}
}
