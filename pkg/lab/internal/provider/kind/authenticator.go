package kind

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// RestartAuthenticator implements [provider.Cluster]. It removes the pods' containers, and
// the kubelets create new ones.
func (c *Cluster) RestartAuthenticator(ctx context.Context, waitReady bool) error {
	for _, node := range c.controlPlanes() {
		if err := c.removeAuthenticator(ctx, node); err != nil {
			return fmt.Errorf("removing the authenticator's pod from %s: %w", node, err)
		}
	}
	path := "/healthz"
	if waitReady {
		path = "/readyz"
	}
	return c.waitForAuthenticators(ctx, path)
}

// removeAuthenticator removes the authenticator's pod from a node. It tries for a while: a
// container that the kubelet is starting cannot be removed.
func (c *Cluster) removeAuthenticator(ctx context.Context, node string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_ = poll(ctx, 100*time.Millisecond, func() bool { // err says why it gives up
		_, failed := c.engine.run(ctx, "exec", node, "sh", "-c", "crictl rmp --force $(crictl pods --quiet --name '^"+authenticatorPod+"-')")
		if failed == nil || err == nil || ctx.Err() == nil { // the end of the time is no reason
			err = failed
		}
		return failed == nil
	})
	return err
}

// waitForAuthenticators waits until the authenticators answer a path with success.
func (c *Cluster) waitForAuthenticators(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for _, node := range c.controlPlanes() {
		err := poll(ctx, 100*time.Millisecond, func() bool {
			_, err := c.engine.run(ctx, "exec", node, "curl", "--silent", "--fail", "http://127.0.0.1:21363"+path)
			return err == nil
		})
		if err != nil {
			return fmt.Errorf("waiting for the authenticator on %s: %w; its log says:\n%s", node, err, c.AuthenticatorLog(context.WithoutCancel(ctx)))
		}
	}
	return nil
}

// Post implements [provider.Cluster]. It runs curl on the first control-plane node, since
// only the node itself can connect to its loopback address.
func (c *Cluster) Post(ctx context.Context, path string, body []byte) (status int, answer []byte, err error) {
	output, err := c.engine.feed(ctx, bytes.NewReader(body), "exec", "--interactive", c.controlPlanes()[0],
		"curl", "--silent", "--show-error", "--cacert", nodeStateDir+"/cert.pem", "--header", "Content-Type: application/json",
		"--data-binary", "@-", "--write-out", `\n%{http_code}`, webhook+path)
	if err != nil {
		return 0, nil, fmt.Errorf("calling the authenticator: %w", err)
	}
	at := strings.LastIndexByte(output, '\n')
	status, err = strconv.Atoi(output[at+1:])
	return status, []byte(output[:max(0, at)]), err
}

// WebhookCA implements [provider.Cluster]. It reads the files inside the nodes, because
// they belong to the pods' user.
func (c *Cluster) WebhookCA(ctx context.Context) ([]byte, error) {
	var all []byte
	for _, node := range c.controlPlanes() {
		text, err := c.engine.run(ctx, "exec", node, "cat", nodeStateDir+"/cert.pem")
		if err != nil {
			return nil, err
		}
		if ca := []byte(text + "\n"); !bytes.Contains(all, ca) { // control planes can share one
			all = append(all, ca...)
		}
	}
	return all, nil
}

// AuthenticatorLog implements [provider.Cluster].
func (c *Cluster) AuthenticatorLog(ctx context.Context) string {
	var all strings.Builder
	for _, node := range c.controlPlanes() {
		text, err := c.engine.run(ctx, "exec", node, "sh", "-c", "tail -n 10 /var/log/pods/kube-system_"+authenticatorPod+"-*/*/*.log")
		if err != nil {
			text = err.Error()
		}
		fmt.Fprintf(&all, "%s\n", text)
	}
	return strings.TrimSpace(all.String())
}
