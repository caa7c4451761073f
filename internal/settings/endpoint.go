package settings

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/kubeconfig"
)

// DefaultStateDir is the server's directory for its certificate and its socket.
const DefaultStateDir = "/var/aws-iam-authenticator"

// SocketPath returns the path of the server's socket in a state directory.
func SocketPath(stateDir string) string { return filepath.Join(stateDir, "authenticator.sock") }

// An Endpoint is the address on which the server listens, and the URL and kubeconfig
// with which the kube-apiserver reaches it.
type Endpoint struct {
	StateDir           string
	GenerateKubeconfig string
	Hostname, Address  string
	Port               int
	TLSCert, TLSKey    string
	Client             kubeconfig.Client
}

// AddFlags adds the flags of an endpoint, with the defaults of two of them.
func (e *Endpoint) AddFlags(flags *pflag.FlagSet, stateDir, kubeconfig string) {
	flags.StringVar(&e.StateDir, "state-dir", stateDir, "directory of cert.pem and key.pem, the CA that signs the serving certificates, created if missing")
	flags.StringVar(&e.GenerateKubeconfig, "generate-kubeconfig", kubeconfig, "file for the generated kubeconfig of the kube-apiserver (its --authentication-token-webhook-config-file)")
	flags.StringVar(&e.Hostname, "hostname", "localhost", "host name at which the kube-apiserver reaches the server")
	flags.StringVar(&e.Address, "address", "127.0.0.1", "IP address that the server listens on")
	flags.IntVar(&e.Port, "port", 21362, "port that the server listens on")
	flags.StringVar(&e.TLSCert, "tls-cert-file", "", "certificate to use instead of cert.pem of --state-dir, never created: a serving certificate, or a CA that signs serving certificates")
	flags.StringVar(&e.TLSKey, "tls-private-key-file", "", "key of --tls-cert-file")
	addClientFlags(flags, &e.Client)
}

func addClientFlags(flags *pflag.FlagSet, client *kubeconfig.Client) {
	flags.StringVar(&client.Certificate, "client-certificate-file", "", "path of the kube-apiserver's client certificate, for the generated kubeconfig")
	flags.StringVar(&client.Key, "client-key-file", "", "path of the key of --client-certificate-file, for the generated kubeconfig")
}

// AddClientCAFlag adds the flag of the CAs of clients.
func AddClientCAFlag(flags *pflag.FlagSet, path *string) {
	flags.StringVar(path, "client-ca-file", "", "file of the CAs of the clients that may send reviews; /healthz, /readyz and /metrics need no client certificate")
}

// Check returns an error for an invalid flag.
func (e *Endpoint) Check() error {
	if net.ParseIP(e.Address) == nil {
		return cli.Usagef("--address %q is not an IP address (expected one like 127.0.0.1)", e.Address)
	}
	if err := CheckPort("--port", e.Port); err != nil {
		return err
	}
	for _, given := range []struct{ flag, value string }{{"--hostname", e.Hostname}, {"--state-dir", e.StateDir}} {
		if given.value == "" { // as of an unset variable of a shell
			return cli.Usagef("%s must not be empty", given.flag)
		}
	}
	if parsed, err := url.Parse(e.URL()); err != nil || parsed.Hostname() != e.Hostname || strings.ContainsAny(e.Hostname, " %") {
		return cli.Usagef("--hostname %q is not a host name or an IP address", e.Hostname)
	}
	if (e.TLSCert == "") != (e.TLSKey == "") {
		return cli.Usagef("--tls-cert-file and --tls-private-key-file must be set together")
	}
	return checkClient(e.Client)
}

// checkClient checks paths that only the kube-apiserver reads.
func checkClient(client kubeconfig.Client) error {
	if (client.Certificate == "") != (client.Key == "") {
		return cli.Usagef("--client-certificate-file and --client-key-file must be set together")
	}
	for _, given := range []struct{ flag, path string }{{"--client-certificate-file", client.Certificate}, {"--client-key-file", client.Key}} {
		if given.path != "" && !filepath.IsAbs(given.path) {
			return cli.Usagef("%s %q: expected an absolute path, since the kube-apiserver reads the file", given.flag, given.path)
		}
	}
	return nil
}

// CheckPort returns an error if the value of a flag is not a port.
func CheckPort(flag string, port int) error {
	if port < 1 || port > 65535 {
		return cli.Usagef("%s %d is not a port (expected 1 to 65535)", flag, port)
	}
	return nil
}

// URL returns the URL at which the kube-apiserver reaches the server.
func (e *Endpoint) URL() string { return e.base() + "/authenticate" }

// ClusterURL returns the URL for one of several clusters.
func (e *Endpoint) ClusterURL(id string) string {
	return e.base() + "/clusters/" + id + "/authenticate"
}

func (e *Endpoint) base() string {
	return "https://" + net.JoinHostPort(e.Hostname, strconv.Itoa(e.Port))
}

// ListenAddress returns the address to listen on.
func (e *Endpoint) ListenAddress() string { return net.JoinHostPort(e.Address, strconv.Itoa(e.Port)) }

// Files returns the files of the serving certificate.
func (e *Endpoint) Files() certificate.Files {
	if e.TLSCert != "" {
		return certificate.Files{Cert: e.TLSCert, Key: e.TLSKey}
	}
	return certificate.StateFiles(e.StateDir)
}

// Certificate loads the serving certificate, or generates its CA. Changed is as in
// [certificate.Config].
func (e *Endpoint) Certificate(ctx context.Context, changed func(trusted []byte), log *slog.Logger) (*certificate.Serving, error) {
	pair, err := e.Files().LoadOrGenerate(ctx, e.Hostname, e.Address, time.Now())
	if err != nil {
		return nil, e.unusable(err)
	}
	return certificate.New(certificate.Config{Hostname: e.Hostname, Address: e.Address, Changed: changed, Log: log}, pair)
}

// Load loads the serving certificate or its CA. It returns nil if there is none yet.
func (e *Endpoint) Load(ctx context.Context, now time.Time) (*certificate.Pair, error) {
	pair, err := e.Files().Load(ctx, now)
	if err != nil {
		return nil, e.unusable(err)
	}
	return pair, nil
}

// unusable returns the error of the files of the certificate.
func (e *Endpoint) unusable(err error) error {
	if e.TLSCert == "" {
		return err
	}
	return cli.Usagef("--tls-cert-file and --tls-private-key-file: %w", err)
}

// RenewalWarning says why a kubeconfig that trusts a serving certificate without its CA
// fails after the certificate is renewed.
func (e *Endpoint) RenewalWarning(serving *certificate.Serving, kubeconfig string) string {
	if serving.SurvivesRenewal() {
		return ""
	}
	return fmt.Sprintf("%s trusts only the certificate in %s, so no kube-apiserver can connect once that is renewed: append the CA's certificate to the file, or write the kubeconfig yourself (--kubeconfig-pregenerated)",
		kubeconfig, e.Files().Cert)
}

// A Kubeconfig is a kubeconfig that the server writes for a kube-apiserver.
type Kubeconfig struct {
	Path   string
	url    string
	client kubeconfig.Client
	// ClientCA is the OwnClientCA of its cluster.
	ClientCA string
}

// NeedsNoCertificate reports whether the kubeconfig has no client certificate.
func (k Kubeconfig) NeedsNoCertificate() bool { return k.client == (kubeconfig.Client{}) }

// CheckWrite returns an error if the path is no regular file, which writing would replace.
func (k Kubeconfig) CheckWrite() error { return kubeconfig.CheckWrite(k.Path) }

// Kubeconfig returns the kubeconfig of a server of one cluster.
func (e *Endpoint) Kubeconfig() Kubeconfig {
	return Kubeconfig{Path: e.GenerateKubeconfig, url: e.URL(), client: e.Client}
}

// KubeconfigsOf returns the kubeconfig of one of several clusters, if it has one.
func (e *Endpoint) KubeconfigsOf(c *Cluster) []Kubeconfig {
	if c.OwnKubeconfig == "" {
		return nil
	}
	return []Kubeconfig{{Path: c.OwnKubeconfig, url: e.ClusterURL(c.General.ClusterID), client: c.OwnClient, ClientCA: c.OwnClientCA}}
}

// WriteKubeconfigs writes kubeconfigs that trust some certificates.
func WriteKubeconfigs(written []Kubeconfig, trusted []byte) error {
	for _, k := range written {
		if err := kubeconfig.Write(k.Path, k.url, trusted, k.client); err != nil {
			return err
		}
	}
	return nil
}
