package httpclient

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// maxHeaders bounds what is read of an answer in addition to its body.
const maxHeaders = 64 << 10

// A connection is used by one request at a time.
type connection struct {
	net.Conn
	origin origin
	socket *socket
	in     *bufio.Reader
	out    *bufio.Writer
	// limit bounds what is read of an answer.
	limit io.LimitedReader
	// answered is set if a part of the last answer was received.
	answered  bool
	idleSince time.Time
}

func newConnection(to origin, conn net.Conn, s *socket) *connection {
	c := &connection{Conn: conn, origin: to, socket: s, out: bufio.NewWriter(conn), limit: io.LimitedReader{R: conn}}
	c.in = bufio.NewReader(&c.limit)
	return c
}

// exchange sends a request and reads the answer. Reusable reports whether another
// request may follow.
func (c *connection) exchange(r *http.Request, maxBody int64) (answer *http.Response, reusable bool, err error) {
	c.answered = false
	if err = write(c.out, r); err == nil {
		err = c.out.Flush()
	}
	clear(c.out.AvailableBuffer()[:c.out.Available()]) // a presigned URL is a credential
	if err != nil {
		return nil, false, fmt.Errorf("sending the request: %w", err)
	}
	c.limit.N = maxHeaders + maxBody
	_, err = c.in.Peek(1)
	if c.answered = err == nil; c.answered {
		answer, err = readAnswer(c.in, r)
	}
	var body []byte
	if err == nil {
		body, err = readBody(answer, maxBody)
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading the answer: %w", err)
	}
	answer.Body, answer.Request = io.NopCloser(bytes.NewReader(body)), r
	return answer, !answer.Close && int64(len(body)) <= maxBody, nil
}

// write writes a request without a body. Besides Host, it sends only the headers that the
// request has. With [http.Request.Write], a new token takes 2 % longer.
func write(out *bufio.Writer, r *http.Request) error {
	uri, host := r.URL.RequestURI(), cmp.Or(r.Host, r.URL.Host)
	if !isClean(uri, '!') || !isClean(host, '!') {
		return errors.New("the URL is not valid") // it may be a credential
	}
	_, _ = out.WriteString(r.Method + " ")
	_, _ = out.WriteString(uri)
	_, _ = out.WriteString(" HTTP/1.1\r\n")
	writeHeader(out, "Host", host)
	for name, values := range r.Header {
		for _, value := range values {
			if !isClean(name, '!') || strings.Contains(name, ":") || !isClean(value, ' ') {
				return fmt.Errorf("header %q is not valid", name)
			}
			writeHeader(out, name, value)
		}
	}
	_, err := out.WriteString("\r\n")
	return err
}

// isClean reports whether a text has no DEL, and no byte below least. After a line break,
// the rest would be another header or request.
func isClean(text string, least byte) bool {
	for i := range len(text) {
		if text[i] < least || text[i] == 0x7f {
			return false
		}
	}
	return true
}

// writeHeader writes one header. Flushing fails if that fails.
func writeHeader(out *bufio.Writer, name, value string) {
	for _, text := range [...]string{name, ": ", value, "\r\n"} {
		_, _ = out.WriteString(text)
	}
}

// isQuiet reports whether nothing follows the last answer. It would be taken for the
// answer to the next request, and so let in the wrong user.
func (c *connection) isQuiet() bool {
	c.socket.noWait, c.socket.received = true, 0
	defer func() { c.socket.noWait = false }()
	c.limit.N = 1
	_, err := c.in.Peek(1)
	// A part of a record of TLS may follow, too.
	return errors.Is(err, os.ErrDeadlineExceeded) && c.socket.received == 0
}

// A socket is a connection below all TLS.
type socket struct {
	net.Conn
	immediate *noWaitReader
	// noWait makes Read return only what was received already.
	noWait bool
	// received counts the bytes that Read has returned without waiting.
	received int
}

func newSocket(conn net.Conn) *socket { return &socket{Conn: conn, immediate: newNoWaitReader(conn)} }

// Read implements [net.Conn].
func (s *socket) Read(p []byte) (int, error) {
	if s.noWait {
		n, err := s.immediate.Read(p)
		s.received += n
		return n, err
	}
	return s.Conn.Read(p)
}
