package lab

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// answerWait is how long the API server may take to list pods.
const answerWait = 10 * time.Second

// PodLogs returns the logs of the lab's parts that are pods: in a cluster of kind, the
// static pods of its control planes. A cluster of envtest has none.
func (i Info) PodLogs(ctx context.Context) ([]Log, error) {
	if i.Provider != Kind || i.Kubeconfig == "" {
		return nil, nil
	}
	client, err := i.administratorClient()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	pods, err := client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of the cluster: %w (the logs are in /var/log/pods on the nodes too)", err)
	}
	byPart := map[string][]string{}
	for _, pod := range pods.Items {
		if _, isStatic := pod.Annotations[corev1.MirrorPodAnnotationKey]; isStatic {
			part := cmp.Or(pod.Labels["app.kubernetes.io/name"], pod.Labels["component"], pod.Name)
			byPart[part] = append(byPart[part], pod.Name)
		}
	}
	var logs []Log
	for part, names := range byPart {
		slices.Sort(names)
		logs = append(logs, Log{Part: part, Pods: names, client: client})
	}
	slices.SortFunc(logs, func(a, b Log) int { return cmp.Compare(a.Part, b.Part) })
	return logs, nil
}

// administratorClient returns a client of the cluster that signs in with the
// administrator's certificate.
func (i Info) administratorClient() (kubernetes.Interface, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: i.Kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: administratorContext},
	).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the lab: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a Kubernetes client: %w", err)
	}
	return client, nil
}

// copyPods writes the logs of the pods one after the other or, if follow is set, as they
// grow. If there are several pods, each line begins with the name of its pod.
func (l Log) copyPods(ctx context.Context, w io.Writer, follow bool) error {
	var mu sync.Mutex
	copyPod := func(ctx context.Context, name string) error {
		prefix := ""
		if len(l.Pods) > 1 {
			prefix = "[" + name + "] "
		}
		p := podLog{open: l.open(name), write: func(line string) error {
			mu.Lock()
			defer mu.Unlock()
			_, err := io.WriteString(w, prefix+line)
			return err
		}}
		if err := p.copy(ctx, follow); err != nil {
			return fmt.Errorf("reading the log of pod %s: %w", name, err)
		}
		return nil
	}
	if !follow {
		for _, name := range l.Pods {
			if err := copyPod(ctx, name); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make([]error, len(l.Pods))
	var following sync.WaitGroup
	for i, name := range l.Pods {
		following.Go(func() {
			if failed[i] = copyPod(ctx, name); failed[i] != nil {
				cancel() // the others too
			}
		})
	}
	following.Wait()
	return errors.Join(failed...)
}

// open returns how to open the log of a pod.
func (l Log) open(name string) func(ctx context.Context, follow bool, since time.Time) (io.ReadCloser, error) {
	return func(ctx context.Context, follow bool, since time.Time) (io.ReadCloser, error) {
		options := &corev1.PodLogOptions{Follow: follow, Timestamps: true}
		if !since.IsZero() {
			options.SinceTime = &metav1.Time{Time: since}
		}
		return l.client.CoreV1().Pods(metav1.NamespaceSystem).GetLogs(name, options).Stream(ctx)
	}
}

// A podLog is the log of one pod.
type podLog struct {
	open  func(ctx context.Context, follow bool, since time.Time) (io.ReadCloser, error)
	write func(line string) error
	// last is the time of the last line that was written.
	last time.Time
}

// copy writes the log, and what is added to it if follow is set, until ctx is done. The
// stream of a log ends with its container and with the API server: it is then opened
// again.
func (p *podLog) copy(ctx context.Context, follow bool) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for isOpened := false; ; {
		log, err := p.open(ctx, follow, p.last)
		if err == nil {
			isOpened = true
			err = p.copyStream(log, follow)
			_ = log.Close()
		}
		if ctx.Err() != nil && follow {
			return nil
		}
		if _, failed := errors.AsType[*writeError](err); !follow || !isOpened || failed {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// copyStream writes the lines of a stream without their times, but those that an earlier
// stream had. A line that a broken stream cuts short comes again with the next one.
func (p *podLog) copyStream(log io.Reader, follow bool) error {
	known := p.last
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadString('\n')
		if line != "" && (err == nil || !follow) {
			stamp, text, _ := strings.Cut(line, " ")
			at, timeErr := time.Parse(time.RFC3339Nano, stamp)
			if timeErr != nil {
				text = line
			}
			if timeErr != nil || at.After(known) {
				if err := p.write(strings.TrimSuffix(text, "\n") + "\n"); err != nil {
					return &writeError{err}
				}
			}
			if at.After(p.last) {
				p.last = at
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// A writeError is an error of the writer of a log, not of the log.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }
