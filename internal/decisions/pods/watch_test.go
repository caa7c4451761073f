package pods

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/decisions"
)

// watchedPods are pods whose decisions and ends a test sends.
type watchedPods struct {
	names   []string
	listErr error
	sent    map[string]chan decisions.Entry
	// asked counts the streams of each pod.
	asked map[string]int
}

func (p *watchedPods) stream(ctx context.Context, pod string, observe func(decisions.Entry)) error {
	p.asked[pod]++
	for {
		select {
		case e, ok := <-p.sent[pod]:
			if !ok {
				return errors.New("it ended")
			}
			observe(e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestWatchOfPods follows pods that come, end, come back and go.
func TestWatchOfPods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		entry := func(id string, second int) decisions.Entry {
			return decisions.Entry{ID: id, Time: start.Add(time.Duration(second) * time.Second)}
		}
		pods := &watchedPods{names: []string{"pod/one"}, asked: map[string]int{}, sent: map[string]chan decisions.Entry{"pod/one": make(chan decisions.Entry), "pod/two": make(chan decisions.Entry)}}
		again := make(chan time.Time)
		var said []string
		w := watch{
			list:   func(context.Context) ([]string, error) { return pods.names, pods.listErr },
			stream: pods.stream, again: again,
			print: func(e decisions.Entry) error { said = append(said, e.ID); return nil },
			warn:  func(text string) { said = append(said, text) },
			pods:  map[string]*watchedPod{"pod/one": {newest: entry("", 1).Time}},
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error)
		go func() { ended <- w.run(ctx) }()
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.EqualFunc(said, want, strings.HasPrefix) {
				t.Errorf("printed %q, want %q", said, want)
			}
			said = nil
		}
		tick := func() { again <- time.Now(); synctest.Wait() }

		pods.sent["pod/one"] <- entry("known", 1)
		pods.sent["pod/one"] <- entry("A", 2)
		expect("A")
		pods.names = []string{"pod/one", "pod/two"}
		tick()
		pods.sent["pod/two"] <- entry("B", 1) // of another pod, which is older
		expect("B")
		close(pods.sent["pod/one"])
		expect("pod/one sends no more decisions, and is asked again while it exists: it ended")
		tick()
		expect() // the same failure again
		pods.sent["pod/one"] = make(chan decisions.Entry)
		tick()
		pods.sent["pod/one"] <- entry("A", 2)
		pods.sent["pod/one"] <- entry("C", 3)
		expect("C")
		pods.listErr = errors.New("no API server")
		tick()
		tick()
		pods.sent["pod/one"] <- entry("D", 4)
		expect("no API server", "D")
		pods.names, pods.listErr = []string{"pod/two"}, nil
		close(pods.sent["pod/one"])
		tick()
		tick()
		expect("pod/one sends")
		if len(w.pods) != 1 || pods.asked["pod/one"] != 3 || pods.asked["pod/two"] != 1 {
			t.Errorf("%d pods, asked %v", len(w.pods), pods.asked)
		}
		stopped := errors.New("interrupted")
		cancel(stopped)
		if err := <-ended; !errors.Is(err, stopped) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestPodLines checks that what a pod sends is bounded.
func TestPodLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"id":"A"}` + "\n" + `{"id":"B"}` + "\n":               "A B <nil>",
		`{"id":"A"}` + "\nError from server\n":                  "A reading its decisions: invalid character 'E'",
		`{"id":"` + strings.Repeat("x", decisions.MaxLine) + "": "reading its decisions: the answer is too large",
	} {
		got := ""
		err := readEntries(strings.NewReader(text), func(e decisions.Entry) { got += e.ID + " " })
		if got += fmt.Sprint(err); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
