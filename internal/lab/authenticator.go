package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An authenticatorProcess is the authenticator's own program at work.
type authenticatorProcess struct {
	command *exec.Cmd
	log     *os.File
	// exited is closed when the program has ended, with why in err.
	exited chan struct{}
	err    error
}

// makeCertificate has the authenticator make its serving certificate and the
// kubeconfig by which kube-apiserver finds it: both must exist before
// kube-apiserver starts, and the authenticator needs nothing else for it.
func (l *Lab) makeCertificate(ctx context.Context) error {
	if err := os.MkdirAll(l.path("authenticator"), 0o700); err != nil {
		return fmt.Errorf("making the authenticator's directory: %w", err)
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	l.info.Webhook = "https://" + address
	command := exec.CommandContext(ctx, l.config.Authenticator, append([]string{"init"}, l.servingArguments()...)...)
	command.Env = os.Environ()
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("running authenticator init: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

// servingArguments say where the authenticator listens and keeps its files.
func (l *Lab) servingArguments() []string {
	host, port, _ := strings.Cut(strings.TrimPrefix(l.info.Webhook, "https://"), ":")
	return []string{
		"--cluster-id", ClusterName,
		"--state-dir", l.path("authenticator"),
		"--generate-kubeconfig", l.webhookKubeconfig(),
		"--hostname", host,
		"--address", host,
		"--port", port,
	}
}

func (l *Lab) startAuthenticator(ctx context.Context) error {
	return l.runAuthenticator(ctx, true)
}

func (l *Lab) runAuthenticator(ctx context.Context, waitReady bool) error {
	log, err := os.OpenFile(l.path("authenticator", "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the authenticator's log: %w", err)
	}
	arguments := append([]string{"server"}, l.servingArguments()...)
	arguments = append(arguments,
		"--backend-mode", "EKSConfigMap",
		"--kubeconfig", l.path("authenticator", "kubeconfig"),
		"--cluster-owner-arn", l.info.OwnerARN,
		"--health-port", "0", // several labs can run on one machine
	)
	if ttl := l.config.VerificationCacheTTL; ttl > 0 {
		arguments = append(arguments, "--verification-cache-ttl", ttl.String())
	}
	if l.config.TrustEndpoint {
		arguments = append(arguments, "--sts-endpoint", l.info.AWS)
	}
	process := &authenticatorProcess{log: log, exited: make(chan struct{})}
	process.command = exec.Command(l.config.Authenticator, arguments...)
	process.command.Args[0] = "authenticator" // whatever the file is called: leftovers are known by it
	process.command.Env = l.authenticatorEnvironment()
	process.command.Stdout, process.command.Stderr = log, log
	// Ctrl-C on a terminal is the lab's to handle, in order.
	process.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := process.command.Start(); err != nil {
		_ = log.Close()
		return fmt.Errorf("starting %s: %w", l.config.Authenticator, err)
	}
	go func() {
		defer close(process.exited)
		if process.err = process.command.Wait(); process.err == nil {
			process.err = errors.New("exit status 0")
		}
	}()
	l.authenticator = process
	path := "/readyz"
	if !waitReady {
		path = "/healthz"
	}
	return l.waitForAuthenticator(ctx, path)
}

func (l *Lab) waitForAuthenticator(ctx context.Context, path string) error {
	client, err := l.WebhookClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		last := probe(ctx, client, l.info.Webhook+path)
		if last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-l.authenticator.exited:
			return fmt.Errorf("the authenticator ended (%w); its log says:\n%s", l.authenticator.err, tail(l.path("authenticator", "log")))
		case <-ctx.Done():
			return fmt.Errorf("waiting for the authenticator: %w; its log says:\n%s", last, tail(l.path("authenticator", "log")))
		}
	}
}

// WebhookClient is an HTTP client that trusts the authenticator's certificate.
func (l *Lab) WebhookClient() (*http.Client, error) {
	certificate, err := os.ReadFile(l.path("authenticator", "cert.pem"))
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
		return fmt.Errorf("%s answers %s: %s", url, answer.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// stop ends the program as an operator's supervisor does: SIGTERM, and after
// its own limit of 10 s has passed, SIGKILL.
func (p *authenticatorProcess) stop() error {
	defer p.log.Close()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending the authenticator: %w", err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(12 * time.Second):
	}
	_ = p.command.Process.Kill()
	<-p.exited
	return errors.New("ending the authenticator: it did not stop within 12 s of SIGTERM and was killed")
}

// freeAddress is an address of 127.0.0.1 that nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)), nil
}

// tail is the end of a log file, for an error message.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
