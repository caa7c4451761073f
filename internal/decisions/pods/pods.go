// Package pods asks the servers in the authenticator's pods for their decisions, with
// kubectl exec.
package pods

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/decisions"
)

const (
	// maxPods bounds the pods that are asked.
	maxPods = 32
	// atOnce is how many pods are asked at once.
	atOnce = 8
)

// Pods are the authenticator's pods in a cluster.
type Pods struct {
	// Kubeconfig and Context name the cluster, as kubectl's flags.
	Kubeconfig, Context string
	Namespace           string
	// Selectors are the labels of the pods. Each is tried until one finds pods.
	Selectors []string
	// StateDir is the state directory of the server in each pod.
	StateDir string
	// Timeout bounds a command of kubectl, but for a watch.
	Timeout time.Duration
	// Err takes messages for people.
	Err io.Writer
}

// Find asks the server in each pod, and returns their decisions in the order of time.
func (p *Pods) Find(ctx context.Context, q decisions.Query) ([]decisions.Entry, error) {
	kubectl, err := lookUp()
	if err != nil {
		return nil, err
	}
	byPod, err := p.findEach(ctx, kubectl, q)
	return inOrder(byPod, q.Limit), err
}

// lookUp returns the path of kubectl.
func lookUp() (string, error) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		return "", errors.New("asking the authenticator's pods: kubectl is not on the PATH (on a control-plane node, run this as root, so that it asks the server there)")
	}
	return kubectl, nil
}

// inOrder returns the last decisions of all pods in the order of time.
func inOrder(byPod map[string][]decisions.Entry, limit int) []decisions.Entry {
	found := slices.Concat(slices.Collect(maps.Values(byPod))...)
	slices.SortStableFunc(found, func(a, b decisions.Entry) int { return a.Time.Compare(b.Time) })
	return found[max(0, len(found)-limit):]
}

// findEach returns the decisions of each pod that answers. It prints which do not, and
// fails if none does.
func (p *Pods) findEach(ctx context.Context, kubectl string, q decisions.Query) (map[string][]decisions.Entry, error) {
	defer cli.Waiting(p.Err, "authenticator: asking the authenticator's pods")()
	pods, err := p.names(ctx, kubectl)
	if err != nil {
		return nil, err
	}
	var (
		mu      sync.Mutex
		asking  sync.WaitGroup
		found   = map[string][]decisions.Entry{}
		failed  []string
		allowed = make(chan struct{}, atOnce)
	)
	for _, pod := range pods {
		asking.Go(func() {
			allowed <- struct{}{}
			defer func() { <-allowed }()
			entries, err := p.ask(ctx, kubectl, pod, q)
			mu.Lock()
			defer mu.Unlock()
			found[pod] = entries
			if err != nil {
				failed = append(failed, cli.Printable(fmt.Sprintf("%s: %v", pod, err)))
			}
		})
	}
	asking.Wait()
	slices.Sort(failed)
	for _, failure := range failed {
		fmt.Fprintln(p.Err, "authenticator: asking", failure)
	}
	if len(failed) == len(pods) {
		return nil, errors.New("no pod of the authenticator answered")
	}
	return found, nil
}

// names returns the names of the pods, as pod/NAME.
func (p *Pods) names(ctx context.Context, kubectl string) ([]string, error) {
	for _, selector := range p.Selectors {
		output, err := p.kubectl(ctx, kubectl, "get", "pods", "--selector", selector, "--output", "name")
		if err != nil {
			return nil, fmt.Errorf("finding the authenticator's pods: %w", err)
		}
		pods := strings.Fields(string(output))
		if len(pods) > maxPods {
			return nil, fmt.Errorf("%d pods have the labels %s: expected at most %d (name fewer with --selector)", len(pods), selector, maxPods)
		}
		if len(pods) > 0 {
			return pods, nil
		}
	}
	return nil, fmt.Errorf("no pod in namespace %s has the labels %s (name others with --namespace and --selector)", p.Namespace, strings.Join(p.Selectors, " or "))
}

// ask asks the server in a pod.
func (p *Pods) ask(ctx context.Context, kubectl, pod string, q decisions.Query) ([]decisions.Entry, error) {
	command := append([]string{"exec", pod, "--"}, whyCommand(p.StateDir, q)...)
	if q.Limit == 1 {
		command = append(command, "--last")
	}
	if q.ID != "" {
		command = append(command, "--", q.ID)
	}
	output, err := p.kubectl(ctx, kubectl, command...)
	var found decisions.List
	// A server that found nothing prints an empty list, and its command fails.
	if decoding := json.Unmarshal(output, &found); decoding != nil {
		if err == nil {
			err = fmt.Errorf("reading its answer: %w", decoding)
		}
		return nil, err
	}
	return found, nil
}

// whyCommand returns the command that asks the server in its pod.
func whyCommand(stateDir string, q decisions.Query) []string {
	command := []string{"/authenticator", "why", "--output", "json", "--state-dir", stateDir}
	if q.ARN != "" {
		command = append(command, "--arn="+q.ARN)
	}
	if q.Cluster != "" {
		command = append(command, "--cluster-id="+q.Cluster)
	}
	return command
}

// kubectl runs kubectl and returns its output. The error has what it said.
func (p *Pods) kubectl(ctx context.Context, kubectl string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	command := p.command(ctx, kubectl, args...)
	answer := &answer{tooLarge: func() { stop(decisions.ErrTooLarge) }}
	said := &head{limit: 64 * maxSaid} // with lines of the log, which are not shown
	command.Stdout, command.Stderr = answer, said
	command.WaitDelay = stopWait // a credential plugin outlives a kubectl that is killed
	err := command.Run()
	output := answer.text
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay): // kubectl has ended well
		return output, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %s (--timeout)", p.Timeout)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return output, failedBecause(args[0], err, said.String())
}

// answer keeps what kubectl prints, up to a limit.
type answer struct {
	text     []byte
	tooLarge func()
}

func (a *answer) Write(p []byte) (int, error) {
	if len(a.text)+len(p) > decisions.MaxList {
		a.tooLarge()
		return 0, decisions.ErrTooLarge
	}
	a.text = append(a.text, p...)
	return len(p), nil
}

// command returns a command of kubectl.
func (p *Pods) command(ctx context.Context, kubectl string, args ...string) *exec.Cmd {
	flags := []string{"--namespace", p.Namespace}
	if p.Kubeconfig != "" {
		flags = append(flags, "--kubeconfig", p.Kubeconfig)
	}
	if p.Context != "" {
		flags = append(flags, "--context", p.Context)
	}
	return exec.CommandContext(ctx, kubectl, append(flags, args...)...)
}

// failedBecause returns the error of kubectl with what it said.
func failedBecause(verb string, err error, said string) error {
	if text := messageIn(said); text != "" {
		err = fmt.Errorf("%w: %s", err, text[:min(len(text), maxSaid)])
	}
	return fmt.Errorf("running kubectl %s: %w", verb, err)
}

// messageIn returns the message of kubectl without the lines of its log, which come first
// and repeat it.
func messageIn(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return len(line) > 5 && strings.IndexByte("IWEF", line[0]) >= 0 && strings.Trim(line[1:5], "0123456789") == "" && line[5] == ' '
	})
	return strings.Join(lines, "\n")
}

// maxSaid is how many bytes of kubectl's messages are shown.
const maxSaid = 1000
