package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves a proxy with an AWS that responds with the request's host.
func start(t *testing.T, config proxy.Config) (address string, client *http.Client) {
	t.Helper()
	ca, err := proxy.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config.CA = ca
	config.AWS = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "AWS as %s, over TLS: %v", r.Host, r.TLS != nil)
	})
	p, err := proxy.New(config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(p)
	t.Cleanup(func() { server.Close(); p.Close() })
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca.PEM()) {
		t.Fatal("the CA is not PEM")
	}
	through, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(through), TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
	return server.Listener.Addr().String(), &http.Client{Transport: transport}
}

func get(t *testing.T, client *http.Client, url string) (int, string, error) {
	t.Helper()
	answer, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func TestAWSNames(t *testing.T) {
	_, client := start(t, proxy.Config{})
	for _, host := range []string{
		"sts.eu-west-2.amazonaws.com", "sts.amazonaws.com", "sts.cn-north-1.amazonaws.com.cn", "iam.amazonaws.com", "sts.eu-west-2.api.aws",
		"sts.us-iso-east-1.c2s.ic.gov", "eks.eusc-de-east-1.amazonaws.eu",
	} {
		status, body, err := get(t, client, "https://"+host+"/")
		if err != nil || status != http.StatusOK || body != "AWS as "+host+", over TLS: true" {
			t.Errorf("%s: %d %q, %v", host, status, body, err)
		}
	}
}

// TestNobodyElseIsDialled checks that the proxy dials none of these hosts.
func TestNobodyElseIsDialled(t *testing.T) {
	secret := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy dialled the host") }))
	defer secret.Close()
	_, client := start(t, proxy.Config{})
	for _, host := range []string{
		secret.Listener.Addr().String(), "example.com", "amazonaws.com", "evilamazonaws.com", "sts.amazonaws.com.evil.example",
		"sts.eu-west-2.amazonaws.com:8443", "169.254.169.254:443", "[::1]:443",
	} {
		if status, body, err := get(t, client, "https://"+host+"/"); err == nil || !strings.Contains(err.Error(), "leave it with unset HTTPS_PROXY https_proxy") {
			t.Errorf("%s: %d %q, %v", host, status, body, err)
		}
	}
}

// TestRefusalSaysHowToLeave checks the whole answer to a CONNECT to another host.
func TestRefusalSaysHowToLeave(t *testing.T) {
	address, _ := start(t, proxy.Config{})
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprint(connection, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusForbidden {
		t.Errorf("%s, %v", answer.Status, err)
	}
	for _, want := range []string{"example.com:443 is neither", "add it to NO_PROXY", `eval "$(localaws env --unset)"`, `eval "$(lab env --unset)"`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("nothing says %s: %s", want, body)
		}
	}
}

func TestRegisteredCluster(t *testing.T) {
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the cluster") }))
	defer cluster.Close()
	const name = "0123456789ABCDEF.gr7.eu-west-2.eks.amazonaws.com:443"
	address, _ := start(t, proxy.Config{Endpoint: func(hostPort string) (string, bool) {
		return cluster.Listener.Addr().String(), hostPort == name
	}})
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\nGET / HTTP/1.0\r\n\r\n", name, name)
	answer, err := io.ReadAll(connection)
	if err != nil || !strings.Contains(string(answer), "200 Connection established") || !strings.HasSuffix(string(answer), "the cluster") {
		t.Errorf("%q, %v", answer, err)
	}
}

// TestWhoMayConnect covers clients on other machines, and browsers that were
// tricked into resolving a foreign name to this server (DNS rebinding).
func TestWhoMayConnect(t *testing.T) {
	ca, err := proxy.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) })
	}
	for name, test := range map[string]struct {
		remote, host, path string
		allow              string
		want               string
	}{
		"this machine":              {"127.0.0.1:1", "127.0.0.1:4566", "/", "", "AWS"},
		"this machine, IPv6":        {"[::1]:1", "localhost:4566", "/", "", "AWS"},
		"by AWS's name":             {"127.0.0.1:1", "sts.amazonaws.com", "/", "", "AWS"},
		"by a stranger's name":      {"127.0.0.1:1", "evil.example", "/", "", ""},
		"another machine":           {"172.18.0.2:1", "172.18.0.1:4566", "/", "", ""},
		"another machine, allowed":  {"172.18.0.2:1", "172.18.0.1:4566", "/", "172.18.0.0/16", "AWS"},
		"another network":           {"10.0.0.2:1", "172.18.0.1:4566", "/", "172.18.0.0/16", ""},
		"control":                   {"127.0.0.1:1", "127.0.0.1:4566", "/_localaws/health", "", "control"},
		"control by a stranger":     {"127.0.0.1:1", "evil.example", "/_localaws/health", "", ""},
		"control from elsewhere":    {"172.18.0.2:1", "127.0.0.1:4566", "/_localaws/health", "172.18.0.0/16", ""},
		"control by its outer name": {"127.0.0.1:1", "172.18.0.1:4566", "/_localaws/health", "172.18.0.0/16", ""},
		"an invalid address":        {"x", "127.0.0.1:4566", "/", "", ""},
	} {
		config := proxy.Config{CA: ca, AWS: text("AWS"), Control: text("control")}
		if test.allow != "" {
			config.Allow = []netip.Prefix{netip.MustParsePrefix(test.allow)}
		}
		p, err := proxy.New(config)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, test.path, nil)
		r.RemoteAddr, r.Host = test.remote, test.host
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if test.want == "" && w.Code != http.StatusForbidden || test.want != "" && w.Body.String() != test.want {
			t.Errorf("%s: %d %q, want %q", name, w.Code, w.Body, test.want)
		}
	}
}

// TestServeTLSWantsTheName checks that the Host must equal the connection's server
// name, which a resumed session may lack.
func TestServeTLSWantsTheName(t *testing.T) {
	ca, err := proxy.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	answers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "AWS") })
	p, err := proxy.New(proxy.Config{CA: ca, AWS: answers})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		connection *tls.ConnectionState
		host       string
		want       int
	}{
		"AWS's":      {&tls.ConnectionState{ServerName: "sts.amazonaws.com"}, "sts.amazonaws.com", http.StatusOK},
		"another":    {&tls.ConnectionState{ServerName: "sts.amazonaws.com"}, "iam.amazonaws.com", http.StatusForbidden},
		"a stranger": {&tls.ConnectionState{ServerName: "example.com"}, "example.com", http.StatusForbidden},
		"none":       {&tls.ConnectionState{}, "sts.amazonaws.com", http.StatusForbidden},
		"no TLS":     {nil, "sts.amazonaws.com", http.StatusForbidden},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.TLS, r.Host = test.connection, test.host
		w := httptest.NewRecorder()
		p.ServeTLS(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
	}
}

func TestCloseEndsTunnels(t *testing.T) {
	ca, err := proxy.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p, err := proxy.New(proxy.Config{CA: ca, AWS: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(p)
	defer server.Close()
	connection, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprint(connection, "CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: sts.amazonaws.com:443\r\n\r\n")
	if _, err := connection.Read(make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := io.ReadAll(connection); err != nil {
		t.Logf("the tunnel ended with %v", err)
	}
}

// TestCAVouchesForNothingElse checks that clients reject certificates that the CA
// signs for names outside its constraints.
func TestCAVouchesForNothingElse(t *testing.T) {
	ca, err := proxy.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.PEM())
	for name, good := range map[string]bool{
		"sts.eu-west-2.amazonaws.com": true, "localhost": true, "127.0.0.1": true, "::1": true,
		"example.com": false, "10.0.0.1": false, "amazonaws.com.evil.example": false, "login.microsoftonline.com": false,
	} {
		made, err := ca.Certificate(name)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(made.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCAIsLoadedAndRenewed(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")
	load := func(now time.Time) string {
		t.Helper()
		ca, err := proxy.LoadOrCreateCA(cert, key, now)
		if err != nil {
			t.Fatal(err)
		}
		return string(ca.PEM())
	}
	now := time.Now()
	first := load(now)
	if load(now.Add(time.Hour)) != first {
		t.Error("the CA was renewed within an hour")
	}
	if load(now.Add(23*time.Hour)) != first {
		t.Error("the CA was renewed within a day")
	}
	if load(now.Add(25*time.Hour)) == first {
		t.Error("the CA was not renewed after a day")
	}
}

func TestIsAWS(t *testing.T) {
	for host, want := range map[string]bool{
		"sts.amazonaws.com": true, "STS.amazonaws.com": true, "amazonaws.com": false, "": false, "xamazonaws.com": false,
		"sts.amazonaws.com.": false, "sts.amazonaws.com\x00": false, "sts.amаzonaws.com": false,
	} {
		if got := proxy.IsAWS(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
