package localawstest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
)

// A roundTripper answers requests with a handler, in process.
type roundTripper struct{ handler http.Handler }

func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	served := r.Clone(r.Context())
	served.RemoteAddr = "127.0.0.1:1"
	served.RequestURI = r.URL.RequestURI()
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	if served.Body == nil {
		served.Body = http.NoBody
	}
	recorder := &recorder{ResponseRecorder: httptest.NewRecorder()}
	t.handler.ServeHTTP(recorder, served)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if recorder.hijacked {
		return nil, io.ErrUnexpectedEOF // as when a server closes the connection
	}
	answer := recorder.Result()
	answer.Request = r
	return answer, nil
}

// A recorder has a connection that a handler can hijack and close.
type recorder struct {
	*httptest.ResponseRecorder
	hijacked bool
}

func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.hijacked = true
	server, client := net.Pipe()
	return server, bufio.NewReadWriter(bufio.NewReader(server), bufio.NewWriter(server)), client.Close()
}
