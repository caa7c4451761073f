package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/unixsocket"
	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// A restarted is a cluster that records what it restarts.
type restarted struct {
	provider.Cluster
	parts []string
	err   error
}

func (r *restarted) Restart(_ context.Context, parts ...string) error {
	r.parts = append(r.parts, parts...)
	return r.err
}

func controlled(t *testing.T, dir string) (*Lab, *restarted, *bytes.Buffer) {
	t.Helper()
	var progress bytes.Buffer
	cluster := &restarted{}
	lab := &Lab{
		config: Config{Progress: &progress}, dir: privatetest.Open(t, dir), cluster: cluster,
		info: Info{Parts: []Part{{Name: "etcd"}, {Name: "kube-apiserver"}}},
	}
	lab.serveControl()
	return lab, cluster, &progress
}

func TestRestart(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	lab, cluster, progress := controlled(t, dir)
	for _, test := range []struct {
		parts, want []string
		fails       error
		says        string // "" if it succeeds
	}{
		{parts: []string{"etcd"}, want: []string{"etcd"}},
		{parts: []string{"kube-apiserver", "etcd"}, want: []string{"kube-apiserver", "etcd"}},
		{want: []string{"etcd", "kube-apiserver"}},
		{parts: []string{"etcd", "coredns"}, says: "restarting coredns: the lab has no such part (it has etcd, kube-apiserver)"},
		{parts: []string{"etcd"}, want: []string{"etcd"}, fails: errors.New("starting etcd: the disk is full"), says: "starting etcd: the disk is full"},
	} {
		cluster.parts, cluster.err = nil, test.fails
		err := RestartIn(t.Context(), dir, test.parts...)
		if got := fmt.Sprint(err); test.says == "" && err != nil || test.says != "" && got != test.says {
			t.Errorf("RestartIn(%q) = %v, want %q", test.parts, err, test.says)
		}
		if !slices.Equal(cluster.parts, test.want) {
			t.Errorf("RestartIn(%q) restarts %q, want %q", test.parts, cluster.parts, test.want)
		}
	}
	if err := lab.control.stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(progress.String(), "lab: restarting kube-apiserver, etcd\n") {
		t.Errorf("the lab says %q", progress)
	}
	if err := RestartIn(t.Context(), dir); !errors.Is(err, unixsocket.ErrNoServer) {
		t.Errorf("after its end: %v, want ErrNoServer", err)
	}
}

// A slow is a cluster that takes a while to give up a restart.
type slow struct {
	provider.Cluster
	begun, stopped chan struct{}
	overtaken      bool
}

func (s *slow) Restart(ctx context.Context, _ ...string) error {
	close(s.begun)
	<-ctx.Done()
	select {
	case <-s.stopped:
		s.overtaken = true
	case <-time.After(100 * time.Millisecond):
	}
	return ctx.Err()
}

func (s *slow) Stop(bool) error {
	close(s.stopped)
	return nil
}

// TestStopDuringRestart checks that a lab that ends gives up a restart before it stops its
// cluster, so that nothing starts again.
func TestStopDuringRestart(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	cluster := &slow{begun: make(chan struct{}), stopped: make(chan struct{})}
	lab := &Lab{config: Config{Progress: io.Discard}, claim: claimed(t, dir), cluster: cluster, info: Info{Parts: []Part{{Name: "etcd"}}}}
	lab.dir = lab.claim.dir
	lab.serveControl()
	restart := make(chan error, 1)
	go func() { restart <- RestartIn(t.Context(), dir) }()
	<-cluster.begun
	if err := lab.stop(); err != nil {
		t.Error(err)
	}
	if err := <-restart; err == nil {
		t.Error("the restart succeeds")
	}
	if cluster.overtaken {
		t.Error("the cluster stopped during the restart")
	}
}

// A lab in a directory with a long path has no socket, and says so.
func TestNoSocket(t *testing.T) {
	t.Parallel()
	lab, _, progress := controlled(t, filepath.Join(privatetest.Path(t), strings.Repeat("x", 110)))
	if lab.control != nil || !strings.Contains(progress.String(), "lab: lab restart does not work for this lab: ") {
		t.Errorf("the lab says %q", progress)
	}
}
