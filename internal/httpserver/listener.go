package httpserver

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

const (
	// patience is how long a connection may be quiet while others wait. It is long
	// enough for a handshake, also of a kube-apiserver that makes many connections at
	// once, one for each of its requests.
	patience = time.Second
	// plainPatience is that of an endpoint without TLS, whose clients send their request
	// at once. It is short so that whoever fills the kernel's queue of 4096 connections
	// does not keep a probe of the kubelet waiting for the 5 s that it has.
	plainPatience = 100 * time.Millisecond
)

// A listener has a limited number of connections open. Others wait in the kernel's
// queue until one is closed. A connection that is quiet for longer than patience is
// closed for them: a client that opens connections and sends nothing, or sends it
// slowly, keeps nobody out.
type listener struct {
	net.Listener
	max      int
	patience time.Duration
	log      *slog.Logger
	// These keep a flood of connections from flooding the log.
	full, slow, failed rate.Sometimes
	// waiting are the requests of all connections, also of closed ones, that wait for
	// their clients.
	waiting atomic.Int64
	// closedQuiet and closedSlow count the connections that made room.
	closedQuiet, closedSlow atomic.Int64

	mu   sync.Mutex
	open map[*connection]struct{}
	// fewer is signaled when waiting falls to maxWaiting, or a connection is closed.
	fewer sync.Cond
	// room has an element if a connection was closed.
	room chan struct{}
	done chan struct{}
	once sync.Once
}

func newListener(inner net.Listener, limit int, patience time.Duration, log *slog.Logger) *listener {
	l := &listener{
		Listener: inner, max: limit, patience: patience, log: log.With("address", inner.Addr().String()),
		full: seldom(), slow: seldom(), failed: seldom(),
		open: map[*connection]struct{}{}, room: make(chan struct{}, 1), done: make(chan struct{}),
	}
	l.fewer.L = &l.mu
	return l
}

// seldom lets one message through, and then one a minute.
func seldom() rate.Sometimes { return rate.Sometimes{First: 1, Interval: time.Minute} }

// Accept implements [net.Listener]. The caller repeats it after a temporary error.
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		l.logFailure(err)
		return nil, err
	}
	conn := &connection{Conn: accepted, listener: l}
	for !l.admit(conn) {
		if err := l.makeRoom(); err != nil {
			return nil, errors.Join(err, accepted.Close())
		}
	}
	return conn, nil
}

func (l *listener) logFailure(err error) {
	if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
		return
	}
	l.failed.Do(func() {
		l.log.Error("accepting connections: out of file descriptors; new clients get no answer (raise the limit of open files: LimitNOFILE= of systemd, ulimit -n)", "error", err)
	})
}

func (l *listener) admit(conn *connection) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.max {
		return false
	}
	conn.quietSince.Store(time.Now().UnixNano())
	l.open[conn] = struct{}{}
	return true
}

// makeRoom closes the quietest connection, or waits until one is closed or has
// been quiet for long enough.
func (l *listener) makeRoom() error {
	l.full.Do(func() {
		l.log.Warn("too many connections: new ones wait, and quiet ones are closed for them", "limit", l.max)
	})
	wait := l.patience
	if quiet := l.quietest(); quiet != nil {
		if wait -= time.Duration(time.Now().UnixNano() - quiet.quietSince.Load()); wait <= 0 {
			l.closedQuiet.Add(1)
			_ = quiet.Close() // net/http learns of it when it reads
			return nil
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-l.room:
	case <-timer.C:
	case <-l.done:
		return net.ErrClosed
	}
	return nil
}

// quietest returns the least useful connection: the oldest that was never busy, else
// the one that has been quiet for longest, else nil.
func (l *listener) quietest() *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	var best *connection
	for conn := range l.open {
		if conn.busy.Load() == 0 && (best == nil || conn.isQuieterThan(best)) {
			best = conn
		}
	}
	return best
}

// anyHTTP1 reports whether a connection is open that has had no request of HTTP/2.
func (l *listener) anyHTTP1() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.open {
		if !conn.http2.Load() {
			return true
		}
	}
	return false
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}
