package localaws_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// A from is a listener that reports one address for all clients.
type from struct {
	net.Listener
	address string
}

func (f from) Accept() (net.Conn, error) {
	accepted, err := f.Listener.Accept()
	return fromConn{accepted, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.address))}, err
}

type fromConn struct {
	net.Conn
	address net.Addr
}

func (c fromConn) RemoteAddr() net.Addr { return c.address }

// listen serves a loopback port, and checks that the server ends without an error.
func listen(t *testing.T, serve func(context.Context, net.Listener) error, client string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, from{listener, client}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// ledTo returns an HTTP client that resolves every name to one address.
func ledTo(t *testing.T, s *localawstest.Server, address string) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		TLSClientConfig: &tls.Config{RootCAs: trusted(t, s)},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func trusted(t testing.TB, s *localawstest.Server) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CA()) {
		t.Fatal("the CA is not PEM")
	}
	return pool
}

func serveTLS(s *localawstest.Server, allow ...netip.Prefix) func(context.Context, net.Listener) error {
	return func(ctx context.Context, listener net.Listener) error { return s.ServeTLS(ctx, listener, allow) }
}

func TestServeTLS(t *testing.T) {
	s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: "i-0123456789abcdef0", PrivateDNSName: "worker-1"}}})
	for name, address := range map[string]string{
		"this machine": listen(t, serveTLS(s), "127.0.0.1:1"),
		"a container":  listen(t, serveTLS(s, netip.MustParsePrefix("172.18.0.0/16")), "172.18.0.2:1"),
	} {
		config := s.SDK()
		config.HTTPClient = ledTo(t, s, address)
		who, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
		if err != nil || *who.Arn != "arn:aws:iam::"+account+":user/administrator" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
		described, err := ec2.NewFromConfig(config).DescribeInstances(t.Context(), nil)
		if err != nil || *described.Reservations[0].Instances[0].PrivateDnsName != "worker-1" {
			t.Errorf("%s: %+v, %v", name, described, err)
		}
	}
}

func TestServeTLSHasOneHost(t *testing.T) {
	s := start(t, localaws.Config{})
	client := ledTo(t, s, listen(t, serveTLS(s), "127.0.0.1:1"))
	const name = "sts.eu-west-2.amazonaws.com"
	for what, test := range map[string]struct {
		host, path string
		status     int
		want       string
	}{
		"the name":           {name, "/", http.StatusForbidden, "MissingAuthenticationToken"},
		"with its port":      {name + ":443", "/", http.StatusForbidden, "MissingAuthenticationToken"},
		"in capitals":        {strings.ToUpper(name), "/", http.StatusForbidden, "MissingAuthenticationToken"},
		"another of AWS's":   {"iam.amazonaws.com", "/", http.StatusForbidden, "the Host differs from the name in the TLS handshake"},
		"a stranger's":       {"example.com", "/", http.StatusForbidden, "the Host differs from the name in the TLS handshake"},
		"loopback":           {"127.0.0.1", "/_localaws/health", http.StatusForbidden, "the Host differs from the name in the TLS handshake"},
		"a control endpoint": {name, "/_localaws/health", http.StatusForbidden, "MissingAuthenticationToken"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+name+test.path, nil)
		must(t, err)
		request.Host = test.host
		answer, err := client.Do(request)
		must(t, err)
		text, err := io.ReadAll(answer.Body)
		must(t, err)
		must(t, answer.Body.Close())
		if answer.StatusCode != test.status || !strings.Contains(string(text), test.want) {
			t.Errorf("%s: %d %s", what, answer.StatusCode, text)
		}
	}
}

func TestServeTLSRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		client, allow string
		serverName    string
		want          string // part of the log; empty if allowed
	}{
		"AWS's name":                {"127.0.0.1:1", "", "sts.amazonaws.com", ""},
		"from a container":          {"172.18.0.2:1", "172.18.0.0/16", "sts.amazonaws.com", ""},
		"from a container, over v6": {"[::ffff:172.18.0.2]:1", "172.18.0.0/16", "sts.amazonaws.com", ""},
		"no name":                   {"127.0.0.1:1", "", "", "expected the name of an AWS host"},
		"another's name":            {"127.0.0.1:1", "", "example.com", "name=example.com"},
		"loopback's name":           {"127.0.0.1:1", "", "localhost", "name=localhost"},
		"AWS's in another's":        {"127.0.0.1:1", "", "sts.amazonaws.com.example.com", "name=sts.amazonaws.com.example.com"},
		"from elsewhere":            {"172.18.0.2:1", "", "sts.amazonaws.com", "clients at this address are not allowed"},
		"from another network":      {"172.19.0.2:1", "172.18.0.0/16", "sts.amazonaws.com", "from=172.19.0.2:1"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			s := start(t, localaws.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
			var allow []netip.Prefix
			if test.allow != "" {
				allow = append(allow, netip.MustParsePrefix(test.allow))
			}
			t.Run("dial", func(t *testing.T) {
				address := listen(t, serveTLS(s, allow...), test.client)
				connection, err := tls.Dial("tcp", address, &tls.Config{ServerName: test.serverName, RootCAs: trusted(t, s), InsecureSkipVerify: test.serverName == ""})
				if err == nil {
					must(t, connection.Close())
				}
				if (err == nil) != (test.want == "") {
					t.Errorf("%v", err)
				}
			})
			if !strings.Contains(log.String(), test.want) || (log.Len() > 0) != (test.want != "") {
				t.Errorf("the log: %s", log.String())
			}
		})
	}
}

// TestExpiryIsAnnounced checks that a server warns a day before its CA expires.
func TestExpiryIsAnnounced(t *testing.T) {
	const soon = 6 * 24 * time.Hour
	for served, want := range map[time.Duration]bool{soon - time.Minute: false, soon + time.Minute: true} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			s := start(t, localaws.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			pipes := &pipeListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
			go func() { ended <- s.Serve(ctx, pipes, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}) }()
			time.Sleep(served)
			synctest.Wait()
			cancel()
			must(t, <-ended)
			if got := strings.Contains(log.String(), "level=WARN msg=\"the CA expires soon"); got != want {
				t.Errorf("after %v: warned %v, want %v: %s", served, got, want, log.String())
			}
		})
	}
}

func TestServeWantsAllow(t *testing.T) {
	s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: "i-0123456789abcdef0"}}})
	ended, end := context.WithCancel(t.Context())
	end() // a server that starts in spite of the error ends at once
	for name, serve := range map[string]func(net.Listener) error{
		"Serve":     func(l net.Listener) error { return s.Serve(ended, l, nil) },
		"ServeTLS":  func(l net.Listener) error { return s.ServeTLS(ended, l, nil) },
		"ServeIMDS": func(l net.Listener) error { return s.ServeIMDS(ended, "i-0123456789abcdef0", l, nil) },
	} {
		listener, err := net.Listen("tcp", "0.0.0.0:0")
		must(t, err)
		if err := serve(listener); !errors.Is(err, localaws.ErrAllow) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, listener.Close())
	}
}

// TestSilentClientsAreHungUpOn checks that clients that never finish, or never
// start, the TLS handshake are disconnected.
func TestSilentClientsAreHungUpOn(t *testing.T) {
	hello := []byte{22, 3, 1, 0, 200, 1} // the first bytes of a handshake
	for name, said := range map[string][]byte{"silent": nil, "slow": hello} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, localaws.Config{})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			pipes := &pipeListener{accepted: make(chan net.Conn, 1), closed: make(chan struct{})}
			go func() {
				ended <- s.ServeTLS(ctx, from{pipes, "127.0.0.1:1"}, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
			}()
			client, server := net.Pipe()
			pipes.accepted <- server
			begun := time.Now()
			if _, err := client.Write(said); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, client)
			if took := time.Since(begun); took != 10*time.Second {
				t.Errorf("%s: disconnected after %v, want 10 s", name, took)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// TestUnusedConnectionsStayOpen checks that a connection without a request stays open
// after its handshake: clients do not send again on a new one that the server has closed.
func TestUnusedConnectionsStayOpen(t *testing.T) {
	const name = "sts.us-east-1.amazonaws.com"
	synctest.Test(t, func(t *testing.T) {
		s := start(t, localaws.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		pipes := &pipeListener{accepted: make(chan net.Conn, 1), closed: make(chan struct{})}
		go func() {
			ended <- s.ServeTLS(ctx, from{pipes, "127.0.0.1:1"}, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
		}()
		pipe, server := net.Pipe()
		pipes.accepted <- server
		client := tls.Client(pipe, &tls.Config{ServerName: name, RootCAs: trusted(t, s)})
		must(t, client.Handshake())
		time.Sleep(45 * time.Second)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+name+"/", nil)
		must(t, err)
		must(t, request.Write(client))
		answer, err := http.ReadResponse(bufio.NewReader(client), request)
		must(t, err)
		must(t, answer.Body.Close())
		must(t, client.Close())
		cancel()
		must(t, <-ended)
	})
}

// A pipeListener accepts pipes instead of sockets, so that synctest controls their
// time.
type pipeListener struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.accepted:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{} }

func TestServeIMDS(t *testing.T) {
	const id = "i-0123456789abcdef0"
	s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: id, PrivateDNSName: "worker-1"}}})
	serve := func(ctx context.Context, listener net.Listener) error {
		return s.ServeIMDS(ctx, id, listener, []netip.Prefix{netip.MustParsePrefix("172.18.0.0/16")})
	}
	address := listen(t, serve, "172.18.0.2:1")
	_, token, _ := ask(t, http.MethodPut, "http://"+address+"/latest/api/token", map[string]string{ttl: "60"})
	if status, text, _ := ask(t, http.MethodGet, "http://"+address+"/latest/meta-data/instance-id", map[string]string{tokenField: token}); status != http.StatusOK || text != id {
		t.Errorf("%d %s", status, text)
	}
	if status, _, _ := ask(t, http.MethodGet, "http://"+address+"/", map[string]string{"Host": "attacker.example"}); status != http.StatusForbidden {
		t.Errorf("with a host name: %d", status)
	}
	if answer, err := http.Get("http://" + listen(t, serve, "172.19.0.2:1")); err == nil {
		t.Errorf("from another network: %s", answer.Status)
	}
	if err := s.ServeIMDS(t.Context(), "i-0", &pipeListener{}, []netip.Prefix{{}}); err == nil || err.Error() != "instance i-0 does not exist" {
		t.Errorf("%v", err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
