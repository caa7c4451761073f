// Package apiserver is a stand-in for a Kubernetes API server, for one client that
// follows the ConfigMap kube-system/aws-auth. It holds nothing else.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Standin serves aws-auth, over HTTP on loopback.
type Standin struct {
	address string
	server  *http.Server
	serving sync.WaitGroup
	edits   chan edit

	mu      sync.Mutex
	awsAuth corev1.ConfigMap
	version int
}

// An edit is on its way to the watch, which sends the outcome once.
type edit struct {
	data map[string]string
	sent chan<- sent
}

type sent struct {
	at  time.Time
	err error
}

// New starts a stand-in that holds an aws-auth.
func New(data map[string]string) (*Standin, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the API server stand-in: %w", err)
	}
	s := &Standin{address: listener.Addr().String(), edits: make(chan edit), awsAuth: corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: "aws-auth", Namespace: "kube-system", UID: "7a1f0c1e-0000-4000-8000-000000000001"},
	}}
	s.put(data)
	s.server = &http.Server{Handler: s.handler(), ReadHeaderTimeout: time.Minute}
	s.serving.Go(func() { _ = s.server.Serve(listener) }) // returns when closed
	return s, nil
}

// Close closes all connections.
func (s *Standin) Close() error {
	err := s.server.Close()
	s.serving.Wait()
	return err
}

// Kubeconfig returns a kubeconfig file for the stand-in.
func (s *Standin) Kubeconfig() []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: standin, cluster: {server: "http://%s"}}]
contexts: [{name: standin, context: {cluster: standin, user: standin}}]
users: [{name: standin, user: {}}]
current-context: standin
`, s.address)
}

// Edit replaces the data of aws-auth and sends the event to the client's watch, for
// which it waits. The time is that just before the event is written.
func (s *Standin) Edit(ctx context.Context, data map[string]string) (time.Time, error) {
	outcome := make(chan sent, 1)
	select {
	case s.edits <- edit{data, outcome}:
	case <-ctx.Done():
		return time.Time{}, errors.Join(errors.New("editing aws-auth: no client watches it"), context.Cause(ctx))
	}
	was := <-outcome
	if was.err != nil {
		return time.Time{}, fmt.Errorf("editing aws-auth: sending the event: %w", was.err)
	}
	return was.at, nil
}

// put replaces the data and returns the new aws-auth.
func (s *Standin) put(data map[string]string) corev1.ConfigMap {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.awsAuth.ResourceVersion, s.awsAuth.Data = strconv.Itoa(s.version), data
	return s.awsAuth
}

func (s *Standin) current() corev1.ConfigMap {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.awsAuth
}
