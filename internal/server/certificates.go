package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/webhook"
)

// certificates are the server's own, and those of its clients, which are nil unless
// they need one.
type certificates struct {
	serving *certificate.Serving
	clients *certificate.Clients
	metrics *metrics.Metrics
	log     *slog.Logger
}

// kubeconfigs returns the kubeconfigs that the server writes.
func (c *Config) kubeconfigs(clusters *clusters) (written []settings.Kubeconfig) {
	if !clusters.several && !c.KubeconfigPregenerated {
		written = append(written, c.Endpoint.Kubeconfig())
	}
	if clusters.several {
		for _, own := range *clusters.settings.Load() {
			written = append(written, c.Endpoint.KubeconfigsOf(own)...)
		}
	}
	return written
}

// certificates loads the certificates, and writes the kubeconfigs that trust them, also
// those of clusters that are added later.
func (c *Config) certificates(ctx context.Context, clusters *clusters, metrics *metrics.Metrics, log *slog.Logger) (*certificates, error) {
	changed := func(trusted []byte) {
		if err := settings.WriteKubeconfigs(c.kubeconfigs(clusters), trusted); err != nil {
			log.Error("the kubeconfig of a kube-apiserver cannot be written: it still trusts only the old certificates", "error", err)
			return
		}
		log.Warn("the CA of the serving certificates has changed: a kube-apiserver trusts the new one once it restarts")
	}
	serving, err := c.Endpoint.Certificate(ctx, changed, log)
	if err != nil {
		return nil, err
	}
	loaded := &certificates{serving: serving, metrics: metrics, log: log}
	if c.ClientCA != "" {
		if loaded.clients, err = certificate.NewClients(ctx, c.ClientCA, nil, log); err != nil {
			return nil, err
		}
	}
	written := c.kubeconfigs(clusters)
	if err := settings.WriteKubeconfigs(written, serving.Trusted()); err != nil {
		return nil, err
	}
	clusters.writeKubeconfig = func(s *settings.Cluster) error {
		return settings.WriteKubeconfigs(c.Endpoint.KubeconfigsOf(s), serving.Trusted())
	}
	for _, warning := range c.certificateWarnings(serving, written) {
		log.Warn(warning)
	}
	metrics.FollowCertificate(serving.Expires)
	return loaded, nil
}

// certificateWarnings returns warnings about the kubeconfigs that the server writes.
func (c *Config) certificateWarnings(serving *certificate.Serving, written []settings.Kubeconfig) (warnings []string) {
	for _, k := range written {
		if warning := c.Endpoint.RenewalWarning(serving, k.Path); warning != "" {
			warnings = append(warnings, warning)
		}
		if c.ClientCA != "" && k.NeedsNoCertificate() {
			warnings = append(warnings, "--client-ca-file refuses the kube-apiserver, whose kubeconfig "+k.Path+" has no client certificate: name one with --client-certificate-file and --client-key-file")
		}
	}
	return warnings
}

// rereaders returns what follows a file.
func (c *certificates) rereaders() []rereader {
	if c.clients == nil {
		return []rereader{c.serving}
	}
	return []rereader{c.serving, c.clients}
}

// run follows the files until ctx is done.
func (c *certificates) run(ctx context.Context) {
	var following sync.WaitGroup
	following.Go(func() { c.serving.Run(ctx) })
	if c.clients != nil {
		following.Go(func() { c.clients.Run(ctx) })
	}
	following.Wait()
}

// get fits [tls.Config].GetCertificate.
func (c *certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.serving.Certificate(hello)
}

// protect returns a handler that refuses clients without a certificate, if they need
// one.
func (c *certificates) protect(next http.Handler) http.Handler {
	if c.clients == nil {
		return next
	}
	return webhook.RequireClient(c.clients.Verify, c.metrics.ObserveRefusedClient, c.log, next)
}

// certificatePlan returns what the server would do with its certificate.
func (c *Config) certificatePlan(ctx context.Context, clusters *clusters, now time.Time) (string, error) {
	if c.ClientCA != "" {
		if _, err := certificate.NewClients(ctx, c.ClientCA, nil, nil); err != nil {
			return "", err
		}
	}
	files := c.Endpoint.Files()
	pair, err := files.Load(ctx, now)
	if err != nil {
		return "", err
	}
	if pair == nil {
		return "generates the CA " + files.Cert + ", which signs serving certificates", nil
	}
	serving, err := certificate.New(certificate.Config{Hostname: c.Endpoint.Hostname, Address: c.Endpoint.Address}, pair)
	if err != nil {
		return "", err
	}
	plan := files.Cert
	if pair.IsCA() {
		plan = "signed by the CA " + files.Cert
	}
	plan = fmt.Sprintf("%s, valid until %s", plan, pair.Expires().Format(time.DateOnly))
	warnings := append(c.certificateWarnings(serving, c.kubeconfigs(clusters)), serving.Ending())
	if refused := serving.Refused(); refused != nil {
		warnings = append(warnings, refused.Error())
	}
	for _, warning := range warnings {
		if warning != "" {
			plan += "; " + warning
		}
	}
	return plan, nil
}
