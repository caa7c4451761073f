package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/settings"
)

// kubeconfigs returns the kubeconfigs that the server writes.
func (c *Config) kubeconfigs(clusters *clusters) (written []settings.Kubeconfig) {
	if !clusters.several && !c.KubeconfigPregenerated {
		written = append(written, c.Endpoint.Kubeconfig())
	}
	if clusters.several {
		for _, own := range clusters.All() {
			written = append(written, c.Endpoint.KubeconfigsOf(own.Settings)...)
		}
	}
	return written
}

// certificate loads the serving certificate, and writes the kubeconfigs that trust it, also
// those of clusters that are added later.
func (c *Config) certificate(ctx context.Context, clusters *clusters, metrics *metrics.Metrics, log *slog.Logger) (*certificate.Serving, error) {
	var serving *certificate.Serving
	changed := func(trusted []byte) {
		written := c.kubeconfigs(clusters)
		if len(written) == 0 && !serving.SurvivesRenewal() {
			return // kube-apiserver trusts a CA that is not in the files
		}
		if err := settings.WriteKubeconfigs(written, trusted); err != nil {
			log.Error("the kubeconfig of a kube-apiserver cannot be written: it still trusts only the old certificates", "error", err)
			return
		}
		log.Warn("the CA of the serving certificates has changed: a kube-apiserver trusts the new one once it restarts")
	}
	serving, err := c.Endpoint.Certificate(ctx, changed, log)
	if err != nil {
		return nil, err
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
	return serving, nil
}

// certificateWarnings returns warnings about the kubeconfigs that the server writes.
func (c *Config) certificateWarnings(serving *certificate.Serving, written []settings.Kubeconfig) (warnings []string) {
	for _, k := range written {
		if warning := c.Endpoint.RenewalWarning(serving, k.Path); warning != "" {
			warnings = append(warnings, warning)
		}
		if warning := c.refusalWarning(k); warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings
}

// refusalWarning says that the server refuses the kube-apiserver of a kubeconfig; it is
// empty if it does not.
func (c *Config) refusalWarning(k settings.Kubeconfig) string {
	refuses, names := "--client-ca-file", "--client-certificate-file and --client-key-file"
	if k.ClientCA != "" {
		refuses, names = "clientCAFile "+k.ClientCA, "clientCertificateFile and clientKeyFile"
	}
	if c.ClientCA == "" && k.ClientCA == "" || !k.NeedsNoCertificate() {
		return ""
	}
	return fmt.Sprintf("%s refuses the kube-apiserver, whose kubeconfig %s has no client certificate: name one with %s", refuses, k.Path, names)
}

// certificatePlan returns what the server would do with its certificate.
func (c *Config) certificatePlan(ctx context.Context, clusters *clusters, now time.Time) (string, error) {
	files := c.Endpoint.Files()
	pair, err := c.Endpoint.Load(ctx, now)
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
