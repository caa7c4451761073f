package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/decisions"
)

const (
	// maxPods bounds the pods that are asked.
	maxPods = 32
	// podsAtOnce is how many pods are asked at once.
	podsAtOnce = 8
)

// podOptions are the flags that find the authenticator's pods.
type podOptions struct {
	cluster             clusterFlags
	namespace, selector string
}

func (o *podOptions) addFlags(flags *pflag.FlagSet) {
	o.cluster.addFlags(flags)
	flags.StringVarP(&o.namespace, "namespace", "n", "kube-system", "namespace of the authenticator's pods")
	flags.StringVar(&o.selector, "selector", "app.kubernetes.io/name=authenticator", "labels of the authenticator's pods")
}

// find asks the server in each pod, whose state directory is the same in all, and returns
// their decisions in the order of time.
func (o *podOptions) find(ctx context.Context, p *program, stateDir string, q decisions.Query) ([]decisions.Entry, error) {
	kubectl, err := o.lookUp()
	if err != nil {
		return nil, err
	}
	byPod, err := o.findEach(ctx, p, kubectl, stateDir, q)
	return inOrder(byPod, q.Limit), err
}

// lookUp returns the path of kubectl.
func (o *podOptions) lookUp() (string, error) {
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
func (o *podOptions) findEach(ctx context.Context, p *program, kubectl, stateDir string, q decisions.Query) (map[string][]decisions.Entry, error) {
	defer cli.Waiting(p.err, "authenticator: asking the authenticator's pods")()
	pods, err := o.pods(ctx, kubectl)
	if err != nil {
		return nil, err
	}
	var (
		mu      sync.Mutex
		asking  sync.WaitGroup
		found   = map[string][]decisions.Entry{}
		failed  []string
		allowed = make(chan struct{}, podsAtOnce)
	)
	for _, pod := range pods {
		asking.Go(func() {
			allowed <- struct{}{}
			defer func() { <-allowed }()
			entries, err := o.ask(ctx, kubectl, pod, stateDir, q)
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
		fmt.Fprintln(p.err, "authenticator: asking", failure)
	}
	if len(failed) == len(pods) {
		return nil, errors.New("no pod of the authenticator answered")
	}
	return found, nil
}

// pods returns the names of the pods, as pod/NAME.
func (o *podOptions) pods(ctx context.Context, kubectl string) ([]string, error) {
	output, err := o.kubectl(ctx, kubectl, "get", "pods", "--selector", o.selector, "--output", "name")
	if err != nil {
		return nil, fmt.Errorf("finding the authenticator's pods: %w", err)
	}
	pods := strings.Fields(string(output))
	switch {
	case len(pods) == 0:
		return nil, fmt.Errorf("no pod in namespace %s has the labels %s (name others with --namespace and --selector)", o.namespace, o.selector)
	case len(pods) > maxPods:
		return nil, fmt.Errorf("%d pods have the labels %s: expected at most %d (name fewer with --selector)", len(pods), o.selector, maxPods)
	}
	return pods, nil
}

// ask asks the server in a pod.
func (o *podOptions) ask(ctx context.Context, kubectl, pod, stateDir string, q decisions.Query) ([]decisions.Entry, error) {
	command := append([]string{"exec", pod, "--"}, whyCommand(stateDir, q)...)
	if q.Limit == 1 {
		command = append(command, "--last")
	}
	if q.ID != "" {
		command = append(command, "--", q.ID)
	}
	output, err := o.kubectl(ctx, kubectl, command...)
	var found []decisions.Entry
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
func (o *podOptions) kubectl(ctx context.Context, kubectl string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, o.cluster.timeout)
	defer cancel()
	command := o.command(ctx, kubectl, args...)
	var said bytes.Buffer
	command.Stderr = &said
	command.WaitDelay = podPatience // a credential plugin outlives a kubectl that is killed
	output, err := command.Output()
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay): // kubectl has ended well
		return output, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %s (--timeout)", o.cluster.timeout)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return output, failedBecause(args[0], err, said.String())
}

// command returns a command of kubectl.
func (o *podOptions) command(ctx context.Context, kubectl string, args ...string) *exec.Cmd {
	flags := []string{"--namespace", o.namespace}
	if o.cluster.kubeconfig != "" {
		flags = append(flags, "--kubeconfig", o.cluster.kubeconfig)
	}
	if o.cluster.context != "" {
		flags = append(flags, "--context", o.cluster.context)
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
