package main

import (
	"context"
	"crypto/tls"
	"fmt"
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
}

func (e *endpoint) addFlags(flags *pflag.FlagSet, stateDir, kubeconfig string) {
	flags.StringVar(&e.stateDir, "state-dir", stateDir, "directory of the serving certificate and its key, created if missing")
	flags.StringVar(&e.generateKubeconfig, "generate-kubeconfig", kubeconfig, "file for the generated kubeconfig of the kube-apiserver (its --authentication-token-webhook-config-file)")
	flags.StringVar(&e.hostname, "hostname", "localhost", "host name at which the kube-apiserver reaches the server")
	flags.StringVar(&e.address, "address", "127.0.0.1", "IP address to listen on")
	flags.IntVar(&e.port, "port", 21362, "port to listen on")
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

// certificate loads the serving certificate, or generates one. The warning, if it is
// not empty, says why a kube-apiserver would not trust it.
func (e *endpoint) certificate(ctx context.Context) (serving *tls.Certificate, warning string, err error) {
	now := time.Now()
	serving, err = certificate.LoadOrGenerate(ctx, e.stateDir, e.hostname, e.address, now)
	if err != nil {
		return nil, "", err
	}
	fault := ""
	switch leaf := serving.Leaf; {
	case leaf.VerifyHostname(e.hostname) != nil:
		fault = "is not for " + e.hostname
	case now.Before(leaf.NotBefore): // generated while the clock was ahead
		fault = "is not valid before " + leaf.NotBefore.Format(time.DateTime)
	default:
		return serving, "", nil
	}
	return serving, fmt.Sprintf("the serving certificate %s %s, so no kube-apiserver connects: remove it and %s, and restart to generate new ones",
		filepath.Join(e.stateDir, certificate.File), fault, filepath.Join(e.stateDir, certificate.KeyFile)), nil
}

// writeKubeconfig writes the kubeconfig with which the kube-apiserver reaches the
// server.
func (e *endpoint) writeKubeconfig(serving *tls.Certificate) error {
	return kubeconfig.Write(e.generateKubeconfig, e.url(), serving)
}
