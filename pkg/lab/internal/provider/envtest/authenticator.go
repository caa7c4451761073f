package envtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/internal/freeport"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

func (c *Cluster) makeCertificate(ctx context.Context) error {
	if c.webhook = c.spec.Earlier.Webhook; c.webhook == "" {
		address, err := freeport.Address()
		if err != nil {
			return err
		}
		c.webhook = "https://" + address
	} else if err := checkFree("the authenticator", c.webhook, c.spec.Command("down")); err != nil {
		return err
	}
	return c.spec.InitAuthenticator(ctx, c.webhook)
}

func (c *Cluster) startAuthenticator(ctx context.Context) error {
	return c.runAuthenticator(ctx, true)
}

// RestartAuthenticator implements [provider.Cluster].
func (c *Cluster) RestartAuthenticator(ctx context.Context, waitReady bool) error {
	if err := c.authenticator.stop(); err != nil {
		return fmt.Errorf("stopping the authenticator: %w", err)
	}
	return c.runAuthenticator(ctx, waitReady)
}

func (c *Cluster) runAuthenticator(ctx context.Context, waitReady bool) error {
	arguments := append([]string{"server"}, c.spec.ServingArguments(c.webhook)...)
	arguments = append(arguments, provider.AccessArguments(c.spec.Path(provider.AccessDir))...)
	arguments = append(arguments,
		"--backend-mode", "EKSConfigMap",
		"--kubeconfig", c.spec.Path(provider.AuthenticatorKubeconfig),
		"--cluster-owner-arn", c.spec.Owner,
		"--health-port", "0", // several labs can run on one machine
	)
	if ttl := c.spec.VerificationCacheTTL; ttl > 0 {
		arguments = append(arguments, "--verification-cache-ttl", ttl.String())
	}
	if c.spec.TrustEndpoint {
		arguments = append(arguments, "--sts-endpoint", c.spec.Endpoint)
	}
	started, err := startProgram(c.spec.Dir, provider.AuthenticatorLog, c.spec.Environ, c.spec.Authenticator, "authenticator", arguments...)
	if err != nil {
		return err
	}
	c.authenticator = started
	if err := c.spec.Record(); err != nil {
		return err
	}
	path := "/readyz"
	if !waitReady {
		path = "/healthz"
	}
	return c.waitForAuthenticator(ctx, path)
}

func (c *Cluster) waitForAuthenticator(ctx context.Context, path string) error {
	client, err := c.webhookClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		last := probe(ctx, client, c.webhook+path)
		if last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-c.authenticator.exited:
			return fmt.Errorf("the authenticator ended (%w); its log says:\n%s", c.authenticator.err, provider.Tail(c.spec.Dir, provider.AuthenticatorLog))
		case <-ctx.Done():
			return fmt.Errorf("waiting for the authenticator: %w; its log says:\n%s", last, provider.Tail(c.spec.Dir, provider.AuthenticatorLog))
		}
	}
}

// maxAnswer bounds what the authenticator answers, in bytes: it is far more than a review.
const maxAnswer = 4 << 20

// Post implements [provider.Cluster].
func (c *Cluster) Post(ctx context.Context, path string, body []byte) (status int, answer []byte, err error) {
	client, err := c.webhookClient()
	if err != nil {
		return 0, nil, err
	}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.webhook+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(http.MaxBytesReader(nil, response.Body, maxAnswer))
	return response.StatusCode, answer, err
}

// AuthenticatorLog implements [provider.Cluster].
func (c *Cluster) AuthenticatorLog(context.Context) string {
	return provider.Tail(c.spec.Dir, provider.AuthenticatorLog)
}

// WebhookCA implements [provider.Cluster].
func (c *Cluster) WebhookCA(context.Context) ([]byte, error) {
	return c.spec.Dir.ReadFile(provider.AuthenticatorCertificate)
}

// webhookClient returns an HTTP client that trusts the authenticator's certificate.
func (c *Cluster) webhookClient() (*http.Client, error) {
	certificate, err := c.spec.Dir.ReadFile(provider.AuthenticatorCertificate)
	if err != nil {
		return nil, fmt.Errorf("reading the authenticator's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(certificate) {
		return nil, errors.New("reading the authenticator's certificate: no certificate in it")
	}
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
		Timeout:   10 * time.Second,
	}, nil
}

func probe(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s returned %s: %s", url, answer.Status, strings.TrimSpace(string(body)))
	}
	return nil
}
