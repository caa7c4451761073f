package main

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

// An endpoint is the address on which the server listens, and the URL and kubeconfig
// with which the kube-apiserver reaches it. The commands server and init share its
// flags.
type endpoint struct {
	stateDir           string
	generateKubeconfig string
	hostname, address  string
	port               int
	tlsCert, tlsKey    string
	client             kubeconfig.Client
}

func (e *endpoint) addFlags(flags *pflag.FlagSet, stateDir, kubeconfig string) {
	flags.StringVar(&e.stateDir, "state-dir", stateDir, "directory of cert.pem and key.pem, the CA that signs the serving certificates, created if missing")
	flags.StringVar(&e.generateKubeconfig, "generate-kubeconfig", kubeconfig, "file for the generated kubeconfig of the kube-apiserver (its --authentication-token-webhook-config-file)")
	flags.StringVar(&e.hostname, "hostname", "localhost", "host name at which the kube-apiserver reaches the server")
	flags.StringVar(&e.address, "address", "127.0.0.1", "IP address to listen on")
	flags.IntVar(&e.port, "port", 21362, "port to listen on")
	flags.StringVar(&e.tlsCert, "tls-cert-file", "", "certificate to use instead of cert.pem of --state-dir, watched for changes and never created: a serving certificate, or a CA that signs serving certificates")
	flags.StringVar(&e.tlsKey, "tls-private-key-file", "", "key of --tls-cert-file")
	addClientFlags(flags, &e.client)
}

func addClientFlags(flags *pflag.FlagSet, client *kubeconfig.Client) {
	flags.StringVar(&client.Certificate, "client-certificate-file", "", "path of the kube-apiserver's client certificate, for the generated kubeconfig")
	flags.StringVar(&client.Key, "client-key-file", "", "path of the key of --client-certificate-file, for the generated kubeconfig")
}

func (e *endpoint) check() error {
	if net.ParseIP(e.address) == nil {
		return cli.Usagef("--address %q is not an IP address (expected one like 127.0.0.1)", e.address)
	}
	if err := checkPort("--port", e.port); err != nil {
		return err
	}
	if e.hostname == "" {
		return cli.Usagef("--hostname must not be empty")
	}
	if parsed, err := url.Parse(e.url()); err != nil || parsed.Hostname() != e.hostname || strings.ContainsAny(e.hostname, " %") {
		return cli.Usagef("--hostname %q is not a host name or an IP address", e.hostname)
	}
	if (e.tlsCert == "") != (e.tlsKey == "") {
		return cli.Usagef("--tls-cert-file and --tls-private-key-file need each other")
	}
	return checkClient(e.client)
}

// checkClient checks paths that only the kube-apiserver reads.
func checkClient(client kubeconfig.Client) error {
	if (client.Certificate == "") != (client.Key == "") {
		return cli.Usagef("--client-certificate-file and --client-key-file need each other")
	}
	for flag, path := range map[string]string{"--client-certificate-file": client.Certificate, "--client-key-file": client.Key} {
		if path != "" && !filepath.IsAbs(path) {
			return cli.Usagef("%s %q: expected an absolute path, since the kube-apiserver reads the file", flag, path)
		}
	}
	return nil
}

func checkPort(flag string, port int) error {
	if port < 1 || port > 65535 {
		return cli.Usagef("%s %d is not a port (expected 1 to 65535)", flag, port)
	}
	return nil
}

// url returns the URL at which the kube-apiserver reaches the server.
func (e *endpoint) url() string { return e.base() + "/authenticate" }

// clusterURL returns the URL for one of several clusters.
func (e *endpoint) clusterURL(id string) string {
	return e.base() + "/clusters/" + id + "/authenticate"
}

func (e *endpoint) base() string {
	return "https://" + net.JoinHostPort(e.hostname, strconv.Itoa(e.port))
}

func (e *endpoint) listenAddress() string { return net.JoinHostPort(e.address, strconv.Itoa(e.port)) }

// files returns the files of the serving certificate.
func (e *endpoint) files() certificate.Files {
	if e.tlsCert != "" {
		return certificate.Files{Cert: e.tlsCert, Key: e.tlsKey}
	}
	return certificate.StateFiles(e.stateDir)
}

// certificate loads the serving certificate, or generates its CA. Changed is as in
// [certificate.Config].
func (e *endpoint) certificate(ctx context.Context, changed func(trusted []byte), log *slog.Logger) (*certificate.Serving, error) {
	pair, err := e.files().LoadOrGenerate(ctx, e.hostname, e.address, time.Now())
	if err != nil {
		return nil, err
	}
	return certificate.New(certificate.Config{Hostname: e.hostname, Address: e.address, Changed: changed, Log: log}, pair)
}

// renewalWarning says why a kubeconfig that trusts a serving certificate without its CA
// fails after the certificate is renewed.
func (e *endpoint) renewalWarning(serving *certificate.Serving, kubeconfig string) string {
	if serving.SurvivesRenewal() {
		return ""
	}
	return fmt.Sprintf("%s trusts only the certificate in %s, so no kube-apiserver can connect once that is renewed: append the CA's certificate to the file, or write the kubeconfig yourself (--kubeconfig-pregenerated)",
		kubeconfig, e.files().Cert)
}
