package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/httpserver"
	"github.com/kube-iam/authenticator/internal/webhook"
)

// handlers are what the server answers with.
type handlers struct {
	webhook, admission, health, metrics http.Handler
	// severalClusters is set if the webhook has a kube-apiserver for each of several
	// clusters.
	severalClusters bool
	// asksClients is set if clients may need a certificate.
	asksClients bool
}

// manyConnections is the limit of connections to the webhook of several clusters: two
// for each of the most clusters.
const manyConnections = 2048

// routes is the handler of the port that the kube-apiserver connects to. Only reviews
// may need a client certificate.
//
//	POST /authenticate                a TokenReview, for the default cluster
//	POST /clusters/{id}/authenticate  a TokenReview
//	POST /validate                    an AdmissionReview of an edit of aws-auth, for the default cluster
//	POST /clusters/{id}/validate      an AdmissionReview
//	GET  /healthz                     ok while the process serves
//	GET  /readyz                      ok once the mappings are read; says what is missing until then
//	GET  /clusters/{id}/readyz        the same for one cluster
//	GET  /metrics                     Prometheus
func (h handlers) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/authenticate", h.webhook)
	mux.Handle("/clusters/{"+webhook.PathCluster+"}/authenticate", h.webhook)
	mux.Handle("/validate", h.admission)
	mux.Handle("/clusters/{"+webhook.PathCluster+"}/validate", h.admission)
	mux.Handle("/clusters/{id}/readyz", h.health)
	mux.Handle("/healthz", h.health)
	mux.Handle("/readyz", h.health)
	mux.Handle("/metrics", h.metrics)
	return mux
}

// listen opens the endpoints that the flags ask for.
func (c *Config) listen(h handlers, serving *certificate.Serving) ([]httpserver.Endpoint, error) {
	healthAddress := ""
	if c.HealthPort != 0 {
		healthAddress = net.JoinHostPort("", strconv.Itoa(c.HealthPort))
	}
	var endpoints []httpserver.Endpoint
	for _, wanted := range []struct {
		name, flag, address string
		handler             http.Handler
		certificate         func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	}{
		{"webhook", "--port", c.Endpoint.ListenAddress(), h.routes(), serving.Certificate},
		{"health", "--health-port", healthAddress, h.health, nil},
		{"metrics", "--metrics-bind-address", c.MetricsAddress, h.metrics, nil},
	} {
		if wanted.address == "" {
			continue
		}
		listener, err := listen(wanted.flag, wanted.address)
		if err != nil {
			for _, e := range endpoints {
				_ = e.Listener.Close()
			}
			return nil, err
		}
		connections := 0
		if wanted.name == "webhook" && h.severalClusters {
			connections = manyConnections
		}
		endpoints = append(endpoints, httpserver.Endpoint{
			MaxConnections: connections, Name: wanted.name, Handler: wanted.handler, Listener: listener,
			Certificate: wanted.certificate, AsksClients: h.asksClients,
		})
	}
	return endpoints, nil
}

// listen listens on an address. The error names the flag to change.
func listen(flag, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listening on %s: the address is already in use (choose another port with %s)", address, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		if flag == "--port" {
			flag = "--address"
		}
		return nil, fmt.Errorf("listening on %s: this machine does not have the address (name one that it has with %s)", address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listening on %s: user %d may not use the port (choose one above 1023 with %s)", address, os.Getuid(), flag)
	case err != nil:
		return nil, fmt.Errorf("listening: %w", err)
	}
	return listener, nil
}
