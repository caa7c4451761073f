package httpclient

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// A proxy connects CONNECT requests to one address, whatever they ask for, and answers
// other requests itself.
type proxy struct {
	*testing.T
	to string
	// refusal is the status of its answer to CONNECT, if not 0.
	refusal int
	// more follows its answer to CONNECT.
	more string
}

func (p proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpwYXNzd29yZA==" { // user:password
		p.Errorf("%s has the headers %v", r.Method, r.Header)
	}
	if r.Method != http.MethodConnect {
		fmt.Fprintf(w, "%s by proxy", r.RequestURI)
		return
	}
	if r.RequestURI != "example.com:443" || r.Host != "example.com:443" {
		p.Errorf("CONNECT to %s with Host %s", r.RequestURI, r.Host)
	}
	if p.refusal != 0 {
		w.WriteHeader(p.refusal)
		return
	}
	upstream, err := net.Dial("tcp", p.to)
	if err != nil {
		p.Error(err)
		return
	}
	defer upstream.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.Error(err)
		return
	}
	defer client.Close()
	fmt.Fprint(client, "HTTP/1.1 200 OK\r\n\r\n"+p.more)
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(upstream, client); _ = upstream.Close() }()
	_, _ = io.Copy(client, upstream)
	_ = client.Close()
	<-done
}

// through returns a transport that uses a proxy with a scheme.
func (p proxy) through(t *testing.T, scheme string) *Transport {
	t.Helper()
	server := httptest.NewUnstartedServer(p)
	if scheme == "https" {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	transport := newTransport(t, server)
	transport.base.Proxy = http.ProxyURL(&url.URL{Scheme: scheme, Host: "proxy.example.com:3128", User: url.UserPassword("user", "password")})
	return transport
}

func TestProxies(t *testing.T) {
	t.Parallel()
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s by target", r.Host, r.RequestURI)
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the target gets the password of the proxy")
		}
	}))
	target.Config.ErrorLog = log.New(io.Discard, "", 0)
	target.StartTLS()
	t.Cleanup(target.Close)
	to := target.Listener.Addr().String()
	for name, test := range map[string]struct {
		proxy       proxy
		scheme, url string
		want, err   string
	}{
		"https through http":         {proxy{t, to, 0, ""}, "http", "https://example.com/a", "example.com /a by target", ""},
		"https through https":        {proxy{t, to, 0, ""}, "https", "https://example.com/a", "example.com /a by target", ""},
		"http through http":          {proxy{t, to, 0, ""}, "http", "http://example.com/a", "http://example.com/a by proxy", ""},
		"http through https":         {proxy{t, to, 0, ""}, "https", "http://example.com/a", "http://example.com/a by proxy", ""},
		"a proxy that wants a login": {proxy{t, to, 407, ""}, "http", "https://example.com/a", "", "sending CONNECT to proxy proxy.example.com:3128: the answer is HTTP 407"},
		"a proxy that says more":     {proxy{t, to, 0, "x"}, "http", "https://example.com/a", "", "sending CONNECT to proxy proxy.example.com:3128: trailing data after the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := test.proxy.through(t, test.scheme)
			// The certificate of the test is for example.com and all its names.
			transport.base.TLSClientConfig = target.Client().Transport.(*http.Transport).TLSClientConfig
			for range 2 {
				_, body, err := get(t.Context(), transport, test.url)
				if body != test.want {
					t.Errorf("%q, want %q", body, test.want)
				}
				if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v, want %q", err, test.err)
				}
				if err != nil && strings.Contains(err.Error(), "password") {
					t.Errorf("the error has the password: %v", err)
				}
			}
			if test.err == "" && strings.HasPrefix(test.url, "https:") && len(transport.pool.idle) != 1 {
				t.Errorf("%d connections are idle, want 1", len(transport.pool.idle))
			}
		})
	}
}

// TestOtherProxies are for the base, which knows SOCKS.
func TestOtherProxies(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close() // nothing needs to answer
	transport := newTransport(t, server)
	transport.base.Proxy = http.ProxyURL(&url.URL{Scheme: "socks5", Host: "proxy.example.com:1080"})
	if _, _, err := get(t.Context(), transport, "https://example.com/"); err == nil || !strings.HasPrefix(err.Error(), "proxyconnect") {
		t.Errorf("%v, want an error of net/http's transport", err)
	}
}
