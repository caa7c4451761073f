package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// waitUntilReady waits for the authenticators and for all nodes.
func (c *Cluster) waitUntilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	var last error
	err := poll(ctx, 250*time.Millisecond, func() bool {
		err := errors.Join(c.authenticatorsReady(ctx), c.nodesReady(ctx))
		if ctx.Err() == nil { // afterwards err would only say that ctx is done
			last = err
		}
		return err == nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%w; the authenticator's log says:\n%s", last, c.AuthenticatorLog(context.WithoutCancel(ctx)))
	}
	return err
}

// waitUntilBack waits until the containers that were started at a time are ready again.
// Until their kubelets report, kube-apiserver has their state of before.
func (c *Cluster) waitUntilBack(ctx context.Context, since time.Time, containers []string) error {
	nodes := slices.DeleteFunc(append(c.controlPlanes(), c.workers()...), func(name string) bool { return !slices.Contains(containers, name) })
	if len(nodes) > 0 {
		if err := c.waitForAuthenticators(ctx, "/readyz"); err != nil {
			return err
		}
		if err := c.waitForKubelets(ctx, since, nodes); err != nil {
			return err
		}
	}
	return c.waitUntilReady(ctx)
}

// waitForKubelets waits until the kubelets of nodes have reported since a time.
func (c *Cluster) waitForKubelets(ctx context.Context, since time.Time, nodes []string) error {
	client, err := c.kubernetes()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for _, name := range nodes {
		err := poll(ctx, 250*time.Millisecond, func() bool {
			lease, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, name, metav1.GetOptions{})
			return err == nil && lease.Spec.RenewTime != nil && lease.Spec.RenewTime.After(since)
		})
		if err != nil {
			return fmt.Errorf("waiting for the kubelet of node %s: %w", name, err)
		}
	}
	return nil
}

func (c *Cluster) nodesReady(ctx context.Context) error {
	client, err := c.kubernetes()
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := map[string]bool{}
	for _, node := range nodes.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady {
				ready[node.Name] = condition.Status == corev1.ConditionTrue
			}
		}
	}
	for _, name := range append(c.controlPlanes(), c.workers()...) {
		if !ready[name] {
			return fmt.Errorf("node %s is not ready", name)
		}
	}
	return nil
}

func (c *Cluster) authenticatorsReady(ctx context.Context) error {
	client, err := c.kubernetes()
	if err != nil {
		return err
	}
	for _, node := range c.controlPlanes() {
		pod, err := client.CoreV1().Pods(metav1.NamespaceSystem).Get(ctx, authenticatorPod+"-"+node, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !podReady(pod) {
			return fmt.Errorf("pod %s is not ready", pod.Name)
		}
	}
	return nil
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// poll calls done until it returns true, at once and then at every interval.
func poll(ctx context.Context, every time.Duration, done func() bool) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
