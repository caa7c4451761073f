// Package httpclient sends HTTP/1.1 requests with short answers on the goroutine of the
// caller. [http.Transport] has two goroutines for each connection, so that every request
// switches between goroutines four times.
package httpclient

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// A Transport sends requests as its base does, on the goroutine of the caller. It reads
// an answer whole before it returns it. It is safe for concurrent use.
type Transport struct {
	base    *http.Transport
	maxBody int64
	pool    pool
}

// New returns a transport with the settings of base, which must have DialContext, Proxy
// and TLSClientConfig. It leaves requests to base that have a body, another method than
// GET or Close set, and those that need a proxy for http URLs or of another kind than
// HTTP. The bodies of other answers end after maxBody + 1 bytes.
func New(base *http.Transport, maxBody int64) *Transport {
	return &Transport{base: base, maxBody: maxBody, pool: pool{max: base.MaxIdleConns, timeout: base.IdleConnTimeout}}
}

// RoundTrip implements [http.RoundTripper].
//
// A server may close an idle connection at any time, so a request that gets no byte of
// an answer on such a connection is sent once more, on a new one.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet || r.Body != nil && r.Body != http.NoBody || r.Close {
		return t.base.RoundTrip(r)
	}
	if c := t.pool.get(originOf(r.URL)); c != nil {
		answer, err := t.exchange(c, r)
		if err == nil || c.answered || r.Context().Err() != nil {
			return answer, err
		}
	}
	c, err := t.connect(r)
	if errors.Is(err, errOtherProxy) {
		return t.base.RoundTrip(r)
	}
	if err != nil {
		return nil, err
	}
	return t.exchange(c, r)
}

// exchange sends a request on a connection, which then becomes idle or is closed.
func (t *Transport) exchange(c *connection, r *http.Request) (*http.Response, error) {
	var answer *http.Response
	var reusable bool
	err := interruptible(r.Context(), c, func() (err error) {
		answer, reusable, err = c.exchange(r, t.maxBody) //nolint:bodyclose // the body is in memory
		return err
	})
	if err != nil {
		_ = c.Close() // nothing depends on it any more
		return nil, err
	}
	if reusable {
		t.pool.put(c)
	} else {
		_ = c.Close()
	}
	return answer, nil
}

// CloseIdleConnections closes the idle connections, and those in use after their answers.
func (t *Transport) CloseIdleConnections() {
	t.base.CloseIdleConnections()
	t.pool.close()
}

// interruptible calls f, which uses a connection. When ctx ends, what f does on the
// connection fails, and the error is that of ctx.
func interruptible(ctx context.Context, c net.Conn, f func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	err := f()
	if !stop() {
		return context.Cause(ctx) // the connection is of no more use
	}
	return err
}
