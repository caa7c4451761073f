package httpserver_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hammer sends one request after the other on one connection of HTTP/1.1 until an
// answer says that it is the last, then connects again, until nothing listens any
// more. A request that was written must be answered.
func hammer(address string, count *atomic.Int64) error {
	for {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return nil // it listens no more, or ended before a request was sent
		}
		err = hammerOn(conn, count)
		_ = conn.Close()
		if err != nil {
			return err
		}
	}
}

func hammerOn(conn net.Conn, count *atomic.Int64) error {
	reader := bufio.NewReader(conn)
	for n := 0; ; n++ {
		if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(question), question); err != nil {
			return fmt.Errorf("request %d: writing: %w", n, err)
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return fmt.Errorf("request %d: %w", n, err)
		}
		content, err := io.ReadAll(response.Body)
		if err != nil || string(content) != answered {
			return fmt.Errorf("request %d: %s %s, %w", n, response.Status, content, err)
		}
		count.Add(1)
		if response.Close {
			return nil
		}
	}
}

// askOnce says whether the request was sent, too.
func askOnce(client *http.Client, url string) (sent bool, err error) {
	var wrote atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), http.MethodPost, url, strings.NewReader(question))
	if err != nil {
		return false, err
	}
	response, err := client.Do(request)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	return wrote.Load(), err
}

// TestStoppingLosesNoRequest stops the server under clients of HTTP/1.1 that keep
// their connections, and such of HTTP/2.
func TestStoppingLosesNoRequest(t *testing.T) {
	for round := range 2 {
		s := serve(t, atOnce)
		var clients sync.WaitGroup
		var count atomic.Int64
		for range 16 {
			clients.Go(func() {
				if err := hammer(s.address, &count); err != nil {
					t.Errorf("round %d: HTTP/1.1: %v", round, err)
				}
			})
		}
		for range 4 {
			client := newClient(t, true)
			clients.Go(func() {
				for {
					sent, err := askOnce(client, s.url())
					if err != nil && sent {
						t.Errorf("round %d: HTTP/2: %v", round, err)
					}
					if err != nil {
						return // it listens no more
					}
					count.Add(1)
				}
			})
		}
		for count.Load() < 200 {
			time.Sleep(time.Millisecond)
		}
		started := time.Now()
		s.end(t)
		if took := time.Since(started); took > 10*time.Second {
			t.Errorf("round %d: stopping took %s", round, took)
		}
		clients.Wait()
	}
}

// TestStoppingAnswersTheLastOfAConnection tells each client that it is.
func TestStoppingAnswersTheLastOfAConnection(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	s := serve(t, func() {
		asked <- struct{}{}
		<-release
	})
	conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := make(chan error, 1)
	var count atomic.Int64
	go func() { answers <- hammerOn(conn, &count) }()
	<-asked
	release <- struct{}{} // the first is kept alive
	<-asked
	s.stop()
	close(release)
	if err := <-answers; err != nil {
		t.Error(err)
	}
	if n := count.Load(); n > 3 {
		t.Errorf("%d answers until one says that it is the last", n)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}
