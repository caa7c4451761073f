package httpclient

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const maxBody = 1000

// newTransport returns a transport that trusts a server, and connects to it whatever the
// name.
func newTransport(t *testing.T, server *httptest.Server) *Transport {
	t.Helper()
	base := &http.Transport{
		Proxy: http.ProxyURL(nil),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
		TLSClientConfig: &tls.Config{}, MaxIdleConns: 100, IdleConnTimeout: time.Minute,
	}
	if server.TLS != nil {
		base.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	}
	transport := New(base, maxBody)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func get(ctx context.Context, transport http.RoundTripper, url string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(content), err
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "example.com" || r.ProtoMajor != 1 || r.TLS.NegotiatedProtocol != "http/1.1" || r.Header.Get("X-Test") != "yes" {
			t.Errorf("the request: %s %s %q %v", r.Host, r.Proto, r.TLS.NegotiatedProtocol, r.Header)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
		fmt.Fprint(w, r.URL)
		w.(http.Flusher).Flush() // the rest of the body is a second chunk
		fmt.Fprint(w, "!")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	server.StartTLS()
	defer server.Close()
	transport := newTransport(t, server)
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/?a=b%20c", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Test", "yes")
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if string(body) != "/?a=b%20c!" || err != nil || answer.StatusCode != http.StatusFound || answer.Header.Get("Location") != "/elsewhere" {
			t.Errorf("%d %v %q, %v", answer.StatusCode, answer.Header, body, err)
		}
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("3 requests used %d connections", got)
	}
}

// TestBaseSendsOtherRequests posts.
func TestBaseSendsOtherRequests(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method)
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(" body"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := newTransport(t, server).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); string(body) != "POST body" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
}

// A script is what a server does with its connections, one function for each. They take
// turns: requests counts those that were read.
type script struct {
	connections []func(c *peer)
	requests    atomic.Int32
}

// A peer is the server's end of a connection.
type peer struct {
	net.Conn
	t      *testing.T
	script *script
	in     *bufio.Reader
}

// awaitRequest returns the path of the next request.
func (p *peer) awaitRequest() string {
	r, err := http.ReadRequest(p.in)
	if err != nil {
		p.t.Errorf("reading a request: %v", err)
		return ""
	}
	p.script.requests.Add(1)
	return r.URL.Path
}

// awaitEnd returns once the client has closed the connection.
func (p *peer) awaitEnd() {
	if rest, err := io.ReadAll(p.in); len(rest) > 0 || err != nil && !errors.Is(err, net.ErrClosed) {
		p.t.Errorf("the client sends %q, %v, want the end", rest, err)
	}
}

func (p *peer) send(text string) {
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Errorf("sending: %v", err)
	}
}

func answering(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// serve serves a script over TLS.
func (s *script) serve(t *testing.T) *Transport {
	t.Helper()
	// It has the certificate; the script serves its listener.
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for _, serve := range s.connections {
			accepted, err := plain.Accept()
			if err != nil {
				return // the test has used fewer
			}
			serving.Go(func() {
				conn := tls.Server(accepted, &tls.Config{Certificates: server.TLS.Certificates})
				defer conn.Close()
				serve(&peer{conn, t, s, bufio.NewReader(conn)})
			})
		}
	})
	transport := newTransport(t, server)
	transport.base.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, plain.Addr().String())
	}
	t.Cleanup(func() { transport.CloseIdleConnections(); plain.Close(); serving.Wait(); server.Close() })
	return transport
}

// TestConnectionsThatServersClose sends two requests. The second succeeds on a new
// connection, because the first connection is of no more use.
func TestConnectionsThatServersClose(t *testing.T) {
	t.Parallel()
	second := func(p *peer) { p.awaitRequest(); p.send(answering("second")); p.awaitEnd() }
	for name, first := range map[string]func(*peer, chan struct{}){
		"closed after the answer": func(p *peer, ready chan struct{}) {
			p.awaitRequest()
			p.send(answering("first"))
			p.Close()
			close(ready)
		},
		"closed at the second request": func(p *peer, ready chan struct{}) {
			p.awaitRequest()
			p.send(answering("first"))
			close(ready)
			p.awaitRequest()
		},
		"an answer too many at once": func(p *peer, ready chan struct{}) {
			p.awaitRequest()
			p.send(answering("first") + answering("stray"))
			close(ready)
			p.awaitEnd()
		},
		"an answer too many in the next record": func(p *peer, ready chan struct{}) {
			p.awaitRequest()
			p.send(answering("first"))
			p.send(answering("stray"))
			close(ready)
			p.awaitEnd()
		},
		"Connection: close": func(p *peer, ready chan struct{}) {
			p.awaitRequest()
			p.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nfirst")
			p.awaitEnd()
			close(ready)
		},
		"HTTP/1.0": func(p *peer, ready chan struct{}) {
			p.awaitRequest()
			p.send("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
			p.awaitEnd()
			close(ready)
		},
		"a body until the end": func(p *peer, ready chan struct{}) {
			p.awaitRequest()
			p.send("HTTP/1.1 200 OK\r\n\r\nfirst")
			p.Close()
			close(ready)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ready := make(chan struct{})
			s := &script{connections: []func(*peer){func(p *peer) { first(p, ready) }, second}}
			transport := s.serve(t)
			if _, body, err := get(t.Context(), transport, "https://example.com/1"); body != "first" || err != nil {
				t.Errorf("the first answer: %q, %v", body, err)
			}
			<-ready
			if _, body, err := get(t.Context(), transport, "https://example.com/2"); body != "second" || err != nil {
				t.Errorf("the second answer: %q, %v", body, err)
			}
		})
	}
}

// TestStrayAnswerWhileIdle sends an answer that nobody asked for, or the beginning of one, some
// time after the first: it is in the memory of neither bufio nor TLS.
func TestStrayAnswerWhileIdle(t *testing.T) {
	t.Parallel()
	t.Run("whole", func(t *testing.T) { testStray(t, func(p *peer) { p.send(answering("stray")) }) })
	t.Run("a part", func(t *testing.T) {
		testStray(t, func(p *peer) {
			_, _ = p.Conn.(*tls.Conn).NetConn().Write([]byte{23, 3, 3, 0, 100, 1, 2, 3})
		})
	})
}

// testStray sends something between two answers.
func testStray(t *testing.T, send func(*peer)) {
	t.Parallel()
	got, sent := make(chan struct{}), make(chan struct{})
	s := &script{connections: []func(*peer){
		func(p *peer) {
			p.awaitRequest()
			p.send(answering("first"))
			<-got
			send(p)
			close(sent)
			p.awaitEnd()
		},
		func(p *peer) { p.awaitRequest(); p.send(answering("second")); p.awaitEnd() },
	}}
	transport := s.serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, body, err := get(ctx, transport, "https://example.com/1"); body != "first" || err != nil {
		t.Errorf("the first answer: %q, %v", body, err)
	}
	close(got)
	<-sent
	if _, body, err := get(ctx, transport, "https://example.com/2"); body != "second" || err != nil {
		t.Errorf("the second answer: %q, %v", body, err)
	}
}

// TestRequestsThatAreNotRepeated counts the requests that the server gets.
func TestRequestsThatAreNotRepeated(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(*peer){
		"no answer on a new connection": func(p *peer) { p.awaitRequest() },
		"a part of an answer":           func(p *peer) { p.awaitRequest(); p.send("HTTP/1.1 200 OK\r\n") },
		"a part of an answer on a used connection": func(p *peer) {
			p.awaitRequest()
			p.send(answering("used"))
			p.awaitRequest()
			p.send("H")
		},
		"a part of a body": func(p *peer) { p.awaitRequest(); p.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1") },
		"no HTTP":          func(p *peer) { p.awaitRequest(); p.send("220 mail.example.com\r\n") },
		"headers without end": func(p *peer) {
			p.awaitRequest()
			_, _ = io.WriteString(p, "HTTP/1.1 200 OK\r\n"+strings.Repeat("A: b\r\n", maxHeaders)+"Content-Length: 0\r\n\r\n")
		},
		"interim answers without end": func(p *peer) {
			p.awaitRequest()
			_, _ = io.WriteString(p, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", maxHeaders)+answering("late"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{connections: []func(*peer){serve, func(p *peer) { t.Error("the client connects again") }}}
			transport, want := s.serve(t), int32(1)
			if strings.HasSuffix(name, "used connection") {
				want = 2
				if _, body, err := get(t.Context(), transport, "https://example.com/0"); body != "used" || err != nil {
					t.Errorf("the first answer: %q, %v", body, err)
				}
			}
			if status, body, err := get(t.Context(), transport, "https://example.com/1"); err == nil {
				t.Errorf("no error, but %d %q", status, body)
			}
			if got := s.requests.Load(); got != want {
				t.Errorf("%d requests were sent, want %d", got, want)
			}
		})
	}
}

// TestInterimAnswers are not taken for the final one.
func TestInterimAnswers(t *testing.T) {
	t.Parallel()
	s := &script{connections: []func(*peer){func(p *peer) {
		for _, body := range []string{"first", "second"} {
			p.awaitRequest()
			p.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
			p.send("HTTP/1.1 100 Continue\r\n\r\n" + answering(body))
		}
		p.awaitEnd()
	}}}
	transport := s.serve(t)
	for _, want := range []string{"first", "second"} {
		if status, body, err := get(t.Context(), transport, "https://example.com/1"); status != 200 || body != want || err != nil {
			t.Errorf("%d %q, %v, want %q", status, body, err, want)
		}
	}
}

// TestLongBody is cut, and the connection is not used again: the rest may still come.
func TestLongBody(t *testing.T) {
	t.Parallel()
	s := &script{connections: []func(*peer){
		func(p *peer) {
			p.awaitRequest()
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("a", maxBody+1))
			p.awaitEnd()
		},
		func(p *peer) { p.awaitRequest(); p.send(answering(strings.Repeat("b", maxBody))); p.awaitEnd() },
	}}
	transport := s.serve(t)
	for _, want := range []string{strings.Repeat("a", maxBody+1), strings.Repeat("b", maxBody)} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, body, err := get(ctx, transport, "https://example.com/"); body != want || err != nil {
			t.Errorf("%d bytes, %v, want %d", len(body), err, len(want))
		}
		cancel()
	}
}

// TestEndOfContext interrupts a request that gets no answer, or only the beginning of one. The
// connection is not used again, even if the answer comes later.
func TestEndOfContext(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"no answer": "", "a part": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{})
			s := &script{connections: []func(*peer){
				func(p *peer) { p.awaitRequest(); p.send(begin); close(asked); p.awaitEnd() },
				func(p *peer) { p.awaitRequest(); p.send(answering("second")); p.awaitEnd() },
			}}
			transport := s.serve(t)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-asked; cancel() }()
			if _, _, err := get(ctx, transport, "https://example.com/1"); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want that it was canceled", err)
			}
			if _, body, err := get(t.Context(), transport, "https://example.com/2"); body != "second" || err != nil {
				t.Errorf("the second answer: %q, %v", body, err)
			}
		})
	}
}

// TestEndOfContextWhileConnecting interrupts a handshake that the server does not answer.
func TestEndOfContextWhileConnecting(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	transport := newTransport(t, server)
	transport.base.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, silent.Addr().String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := get(ctx, transport, "https://example.com/"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want a deadline", err)
	}
}

func TestCertificateOfAnotherName(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	if _, _, err := get(t.Context(), newTransport(t, server), "https://sts.example.org/"); err == nil || !strings.Contains(err.Error(), "sts.example.org") {
		t.Errorf("%v, want an error about the certificate", err)
	}
}

// TestRequestIsThatOfNetHTTP compares what is sent with what net/http would send.
func TestRequestIsThatOfNetHTTP(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://sts.eu-west-2.amazonaws.com/?Action=GetCallerIdentity&X-Amz-Credential=AKIA%2F20261123",
		"http://127.0.0.1:8080", "https://example.com/a%2Fb/c d?", "https://[::1]:1/?q", "https://example.com/" + strings.Repeat("a", 16<<10),
	} {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"X-K8s-Aws-Id": {"blue"}, "Accept": {"a", "b"}, "User-Agent": {"test"}}
		var ours, theirs bytes.Buffer
		out := bufio.NewWriter(&ours)
		if err := errors.Join(write(out, r), out.Flush(), r.Write(&theirs)); err != nil {
			t.Fatal(err)
		}
		got, want := strings.Split(ours.String(), "\r\n"), strings.Split(theirs.String(), "\r\n")
		if got[0] != want[0] || got[1] != want[1] || !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) || !strings.HasSuffix(ours.String(), "\r\n\r\n") {
			t.Errorf("%.80s: sent %q, want %q", url, got, want)
		}
	}
}

// TestRequestIsForgotten checks that an idle connection has nothing of the last request, which
// may be a credential.
func TestRequestIsForgotten(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	transport := newTransport(t, server)
	for _, length := range []int{10, 10_000} {
		if _, _, err := get(t.Context(), transport, server.URL+"/?secret="+strings.Repeat("s", length)); err != nil {
			t.Fatal(err)
		}
		sent := transport.pool.idle[0].out.AvailableBuffer()
		if sent = sent[:cap(sent)]; len(sent) == 0 || len(bytes.Trim(sent, "\x00")) > 0 {
			t.Errorf("%d bytes: %q", length, bytes.Trim(sent, "\x00"))
		}
	}
}

// TestRequestWithLineBreaks refuses what would be another header, or another request.
func TestRequestWithLineBreaks(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*http.Request){
		"value": func(r *http.Request) { r.Header.Set("X-Test", "a\r\nb: c") },
		"name":  func(r *http.Request) { r.Header["X\n"] = []string{"a"} },
		"query": func(r *http.Request) { r.URL.RawQuery = "a\r\n" },
		"host":  func(r *http.Request) { r.Host = "a\nb" },
	} {
		r, err := http.NewRequest(http.MethodGet, "https://example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		var sent bytes.Buffer
		out := bufio.NewWriter(&sent)
		if err := write(out, r); err == nil || sent.Len() > 0 {
			t.Errorf("%s: %v, sent %q", name, err, &sent)
		}
	}
}
