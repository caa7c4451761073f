package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/kubeconfig"
	"github.com/kube-iam/authenticator/internal/metrics"
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

// A webhookKubeconfig is a kubeconfig that the server writes for a kube-apiserver.
type webhookKubeconfig struct {
	path, url string
	client    kubeconfig.Client
}

// kubeconfigs returns the kubeconfigs that the server writes.
func (o *serverOptions) kubeconfigs(clusters *clusters) (written []webhookKubeconfig) {
	if !clusters.several && !o.kubeconfigPregenerated {
		written = append(written, webhookKubeconfig{o.generateKubeconfig, o.url(), o.client})
	}
	if clusters.several {
		for _, settings := range *clusters.settings.Load() {
			written = append(written, o.kubeconfigsOf(settings)...)
		}
	}
	return written
}

// kubeconfigsOf returns the kubeconfig of one of several clusters, if it has one.
func (e *endpoint) kubeconfigsOf(s *clusterSettings) []webhookKubeconfig {
	if s.ownKubeconfig == "" {
		return nil
	}
	return []webhookKubeconfig{{s.ownKubeconfig, e.clusterURL(s.program.clusterID), s.ownClient}}
}

func writeKubeconfigs(written []webhookKubeconfig, trusted []byte) error {
	for _, k := range written {
		if err := kubeconfig.Write(k.path, k.url, trusted, k.client); err != nil {
			return err
		}
	}
	return nil
}

// certificates loads the certificates, and writes the kubeconfigs that trust them, also
// those of clusters that are added later.
func (o *serverOptions) certificates(ctx context.Context, clusters *clusters, metrics *metrics.Metrics, log *slog.Logger) (*certificates, error) {
	changed := func(trusted []byte) {
		if err := writeKubeconfigs(o.kubeconfigs(clusters), trusted); err != nil {
			log.Error("the kubeconfig of a kube-apiserver cannot be written: it still trusts only the old certificates", "error", err)
			return
		}
		log.Warn("the CA of the serving certificates has changed: a kube-apiserver trusts the new one once it restarts")
	}
	serving, err := o.certificate(ctx, changed, log)
	if err != nil {
		return nil, err
	}
	c := &certificates{serving: serving, metrics: metrics, log: log}
	if o.clientCA != "" {
		if c.clients, err = certificate.NewClients(ctx, o.clientCA, nil, log); err != nil {
			return nil, err
		}
	}
	written := o.kubeconfigs(clusters)
	if err := writeKubeconfigs(written, serving.Trusted()); err != nil {
		return nil, err
	}
	clusters.writeKubeconfig = func(s *clusterSettings) error { return writeKubeconfigs(o.kubeconfigsOf(s), serving.Trusted()) }
	for _, warning := range o.certificateWarnings(serving, written) {
		log.Warn(warning)
	}
	metrics.FollowCertificate(serving.Expires)
	return c, nil
}

// certificateWarnings returns warnings about the kubeconfigs that the server writes.
func (o *serverOptions) certificateWarnings(serving *certificate.Serving, written []webhookKubeconfig) (warnings []string) {
	for _, k := range written {
		if warning := o.renewalWarning(serving, k.path); warning != "" {
			warnings = append(warnings, warning)
		}
		if o.clientCA != "" && k.client == (kubeconfig.Client{}) {
			warnings = append(warnings, "--client-ca-file refuses the kube-apiserver, whose kubeconfig "+k.path+" has no client certificate: name one with --client-certificate-file and --client-key-file")
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
func (o *serverOptions) certificatePlan(ctx context.Context, clusters *clusters, now time.Time) (string, error) {
	if o.clientCA != "" {
		if _, err := certificate.NewClients(ctx, o.clientCA, nil, nil); err != nil {
			return "", err
		}
	}
	files := o.files()
	pair, err := files.Load(ctx, now)
	if err != nil {
		return "", err
	}
	if pair == nil {
		return "generates the CA " + files.Cert + ", which signs serving certificates", nil
	}
	serving, err := certificate.New(certificate.Config{Hostname: o.hostname, Address: o.address}, pair)
	if err != nil {
		return "", err
	}
	plan := files.Cert
	if pair.IsCA() {
		plan = "signed by the CA " + files.Cert
	}
	plan = fmt.Sprintf("%s, valid until %s", plan, pair.Expires().Format(time.DateOnly))
	warnings := append(o.certificateWarnings(serving, o.kubeconfigs(clusters)), serving.Ending())
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
