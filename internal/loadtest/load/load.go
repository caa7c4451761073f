// Package load sends TokenReviews as a kube-apiserver does, over HTTP/2.
package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/review"
)

// Timeout bounds a request, like that of a kube-apiserver's webhook client.
const Timeout = 30 * time.Second

// maxAnswer bounds what is read of an answer; a TokenReview is far shorter.
const maxAnswer = 1 << 20

// maxInFlight bounds the unanswered requests of one open loop.
const maxInFlight = 8192

// A Client acts as one kube-apiserver. It keeps one connection, and opens more only
// when the server allows no more concurrent requests on it.
type Client struct {
	url, path string
	http      *http.Client
}

// NewClient returns a client of a server's address.
func NewClient(address string) *Client { return NewClientOf(address, "/authenticate") }

// NewClientOf returns a client that sends its reviews to a path.
func NewClientOf(address, path string) *Client {
	transport := &http.Transport{
		// Each server has a new self-signed certificate. Checking it costs one
		// handshake, which is not measured.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2: true,
	}
	return &Client{"https://" + address, path, &http.Client{Transport: transport, Timeout: Timeout}}
}

// NewHTTP1Client returns a client of a server's address that keeps connections of HTTP/1.1.
func NewHTTP1Client(address string) *Client {
	c := NewClient(address)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(true)
	c.http.Transport = transport
	return c
}

// Close closes the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Healthy reports whether the server serves.
func (c *Client) Healthy(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/healthz", nil)
	if err != nil {
		return false
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}

// Ask sends one TokenReview. Status is 0 without a response.
func (c *Client) Ask(ctx context.Context, body []byte) (review.Answer, int) {
	status, content, err := c.send(ctx, body)
	if err != nil {
		return review.Failed, 0
	}
	return review.Read(status, content), status
}

// Username sends one TokenReview and returns the username in the answer; none if the
// caller is not let in.
func (c *Client) Username(ctx context.Context, body []byte) string {
	status, content, err := c.send(ctx, body)
	if err != nil || review.Read(status, content) != review.Yes {
		return ""
	}
	return review.Username(content)
}

func (c *Client) send(ctx context.Context, body []byte) (status int, content []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+c.path+"?timeout=30s", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, */*")
	request.Header.Set("User-Agent", "kube-apiserver/bench")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	content, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, content, err
}

// Closed keeps a number of requests in flight until the time is over or ctx is done.
func (c *Client) Closed(ctx context.Context, concurrency int, lasts time.Duration, next func() []byte) *Result {
	started := time.Now()
	return c.closed(ctx, concurrency, func() bool { return time.Since(started) < lasts }, next)
}

// Count sends a number of requests, within a time limit.
func (c *Client) Count(ctx context.Context, concurrency, count int, limit time.Duration, next func() []byte) *Result {
	turns := make(chan struct{}, count)
	for range count {
		turns <- struct{}{}
	}
	close(turns)
	started := time.Now()
	return c.closed(ctx, concurrency, func() bool {
		_, more := <-turns
		return more && time.Since(started) < limit
	}, next)
}

func (c *Client) closed(ctx context.Context, concurrency int, more func() bool, next func() []byte) *Result {
	started := time.Now()
	results := make([]Result, concurrency)
	var workers sync.WaitGroup
	for i := range results {
		workers.Go(func() {
			for ctx.Err() == nil && more() {
				body := next()
				asked := time.Now()
				answer, status := c.Ask(ctx, body)
				results[i].add(answer, status, time.Since(asked))
			}
		})
	}
	workers.Wait()
	total := Result{Elapsed: time.Since(started)}
	for i := range results {
		total.Merge(&results[i])
	}
	return &total
}

// Open sends requests at a rate, however long responses take; a request fails if it
// has none within limit. A latency counts from when the request was due, so that a
// stall of the sender shows.
func (c *Client) Open(ctx context.Context, perSecond int, lasts, limit time.Duration, next func() []byte) *Result {
	started := time.Now()
	interval := time.Second / time.Duration(perSecond)
	var (
		mu       sync.Mutex
		result   Result
		requests sync.WaitGroup
		turns    = make(chan struct{}, maxInFlight)
		ticker   = time.NewTicker(interval)
	)
	defer ticker.Stop()
	for due := started; due.Sub(started) < lasts && ctx.Err() == nil; due = due.Add(interval) {
		for time.Now().Before(due) {
			<-ticker.C
		}
		select {
		case turns <- struct{}{}:
		default:
			result.Unsent++
			continue
		}
		body := next()
		requests.Go(func() {
			ctx, cancel := context.WithDeadline(ctx, due.Add(limit))
			answer, status := c.Ask(ctx, body)
			cancel()
			latency := time.Since(due)
			<-turns
			mu.Lock()
			defer mu.Unlock()
			result.add(answer, status, latency)
		})
	}
	requests.Wait()
	result.Elapsed = time.Since(started)
	return &result
}
