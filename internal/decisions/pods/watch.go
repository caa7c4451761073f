package pods

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/decisions"
)

const (
	// period is how often a watch looks for pods that came, and asks those again whose
	// stream ended.
	period = 5 * time.Second
	// stopWait is how long kubectl may take to stop.
	stopWait = 2 * time.Second
)

// Watch prints the last decisions of all pods in the order of time, and then those to
// come, until ctx is done.
func (p *Pods) Watch(ctx context.Context, q decisions.Query, print func(decisions.Entry) error) error {
	kubectl, err := lookUp()
	if err != nil {
		return err
	}
	byPod, err := p.findEach(ctx, kubectl, q)
	if err != nil {
		return err
	}
	for _, e := range inOrder(byPod, q.Limit) {
		if err := print(e); err != nil {
			return err
		}
	}
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	w := watch{
		list: func(ctx context.Context) ([]string, error) { return p.names(ctx, kubectl) },
		stream: func(ctx context.Context, pod string, observe func(decisions.Entry)) error {
			return p.stream(ctx, kubectl, pod, q, observe)
		},
		again: ticker.C,
		print: print,
		warn:  func(text string) { fmt.Fprintln(p.Err, "authenticator: "+cli.Printable(text)) },
		pods:  map[string]*watchedPod{},
	}
	for pod, entries := range byPod {
		w.pods[pod] = &watchedPod{}
		if len(entries) > 0 {
			w.pods[pod].newest = entries[len(entries)-1].Time
		}
	}
	return w.run(ctx)
}

// stream calls observe for the decisions of the server in a pod, until its end or ctx is
// done. The command in the pod ends with its standard input, which closes with the
// connection: the pod keeps none of its processes.
func (p *Pods) stream(ctx context.Context, kubectl, pod string, q decisions.Query, observe func(decisions.Entry)) error {
	args := append([]string{"exec", "--stdin", pod, "--"}, whyCommand(p.StateDir, q)...)
	args = append(args, "--watch", "--until-stdin-ends")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := p.command(ctx, kubectl, args...)
	stdin, err := command.StdinPipe()
	if err != nil {
		return fmt.Errorf("running kubectl exec: %w", err)
	}
	output, input := io.Pipe()
	said := &head{limit: maxSaid}
	command.Stdout, command.Stderr = input, said
	command.Cancel, command.WaitDelay = stdin.Close, stopWait
	var unreadable error
	var reading sync.WaitGroup
	reading.Go(func() {
		if unreadable = readEntries(output, observe); unreadable != nil {
			cancel()
			_ = output.CloseWithError(unreadable)
		}
	})
	err = command.Run()
	_ = input.Close() // no write follows
	reading.Wait()
	switch {
	case unreadable != nil:
		return unreadable
	case err != nil:
		return failedBecause("exec", err, said.String())
	}
	return errors.New("the server has stopped")
}

func readEntries(r io.Reader, observe func(decisions.Entry)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, decisions.MaxLine)
	for lines.Scan() {
		var e decisions.Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("reading its decisions: %w", err)
		}
		observe(e)
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = decisions.ErrTooLarge
	}
	if err != nil {
		return fmt.Errorf("reading its decisions: %w", err)
	}
	return nil
}

// head keeps the first bytes that are written to it. It is no bytes.Buffer, whose ReadFrom
// has no limit.
type head struct {
	text  []byte
	limit int
}

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), h.limit-len(h.text))]...)
	return len(p), nil
}

func (h *head) String() string { return string(h.text) }

// A watch follows the decisions of pods that come and go.
type watch struct {
	list   func(context.Context) ([]string, error)
	stream func(ctx context.Context, pod string, observe func(decisions.Entry)) error
	// again ticks when it is time to list the pods.
	again <-chan time.Time
	print func(decisions.Entry) error
	warn  func(text string)
	pods  map[string]*watchedPod
	// failure is the last failure of list that was printed.
	failure string
}

// A watchedPod is what a watch knows of a pod.
type watchedPod struct {
	running bool
	// newest is the time of the last decision: a new stream begins with some that are
	// known.
	newest time.Time
	// failure is the last one that was printed.
	failure string
}

// A podEvent is a decision of a pod, or the end of its stream.
type podEvent struct {
	pod   string
	entry decisions.Entry
	ended error
}

func (w *watch) run(ctx context.Context) error {
	var streams sync.WaitGroup
	defer streams.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	events := make(chan podEvent)
	send := func(e podEvent) {
		select {
		case events <- e:
		case <-ctx.Done():
		}
	}
	start := func() {
		for name, pod := range w.pods {
			if pod.running {
				continue
			}
			pod.running = true
			streams.Go(func() {
				err := w.stream(ctx, name, func(e decisions.Entry) { send(podEvent{pod: name, entry: e}) })
				send(podEvent{pod: name, ended: err})
			})
		}
	}
	start()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e := <-events:
			if err := w.observe(e); err != nil {
				return err
			}
		case <-w.again:
			w.refresh(ctx)
			start()
		}
	}
}

// observe prints a decision, or why a stream ended.
func (w *watch) observe(e podEvent) error {
	pod := w.pods[e.pod]
	switch {
	case e.ended != nil:
		pod.running = false
		if text := e.ended.Error(); text != pod.failure {
			pod.failure = text
			w.warn(fmt.Sprintf("%s sends no more decisions, and is asked again while it exists: %s", e.pod, text))
		}
	case e.entry.Time.After(pod.newest):
		pod.newest, pod.failure = e.entry.Time, ""
		return w.print(e.entry)
	}
	return nil
}

// refresh adds the pods that came, and forgets those that are gone and have no stream.
func (w *watch) refresh(ctx context.Context) {
	pods, err := w.list(ctx)
	if err != nil {
		if text := err.Error(); ctx.Err() == nil && text != w.failure {
			w.failure = text
			w.warn(text)
		}
		return
	}
	w.failure = ""
	for _, name := range pods {
		if w.pods[name] == nil {
			w.pods[name] = &watchedPod{}
		}
	}
	maps.DeleteFunc(w.pods, func(name string, pod *watchedPod) bool { return !pod.running && !slices.Contains(pods, name) })
}
