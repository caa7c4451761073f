package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// listenerFile and clusterFile are as kind writes them.
const listenerFile = `
resources:
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: listener_apiserver
  address:
    socket_address:
      address: "0.0.0.0"
      port_value: 6443
  filter_chains:
  - filters:
    - name: envoy.filters.network.tcp_proxy
      typed_config:
        stat_prefix: ingress_tcp
        cluster: kube_apiservers
`

const clusterFile = `
resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: kube_apiservers
  type: STRICT_DNS
  load_assignment:
    cluster_name: kube_apiservers
    endpoints:
    - lb_endpoints:
      - endpoint:
          address:
            socket_address:
              address: lab-control-plane
              port_value: 6443
      - endpoint:
          address:
            socket_address:
              address: lab-control-plane2
              port_value: 6443
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadBootstrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, refusal string }{
		{"kind's", "dynamic_resources:\n  cds_config:\n    path_config_source:\n      path: /c\n  lds_config:\n    path_config_source:\n      path: /l\n", ""},
		{"none of the files", "admin: {}\n", "it names no file"},
		{"one of the files", "dynamic_resources: {cds_config: {path_config_source: {path: /c}}}\n", "it names no file"},
		{"no YAML", "{", "reading"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			found, err := readBootstrap(write(t, "envoy.yaml", c.text))
			if c.refusal != "" {
				if err == nil || !strings.Contains(err.Error(), c.refusal) {
					t.Fatalf("refusal: %v, want one that says %q", err, c.refusal)
				}
				return
			}
			if want := (files{clusters: "/c", listeners: "/l"}); err != nil || found != want {
				t.Errorf("got %+v, %v, want %+v", found, err, want)
			}
		})
	}
}

func TestReadListener(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want, refusal string }{
		{"kind's", listenerFile, "0.0.0.0:6443", ""},
		{"IPv6", strings.ReplaceAll(listenerFile, "0.0.0.0", "::"), "[::]:6443", ""},
		{"before the nodes are known", "resources: []", "", ""},
		{"two", listenerFile + "- name: other\n", "", "2 listeners"},
		{"no port", strings.ReplaceAll(listenerFile, "port_value: 6443", ""), "", "port 0"},
		{"a port too high", strings.ReplaceAll(listenerFile, "6443", "65536"), "", "port 65536"},
		{"no YAML", "resources: [", "", "reading"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := readListener(write(t, "lds.yaml", c.text))
			if c.refusal == "" && err != nil || c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal)) {
				t.Fatalf("refusal: %v, want %q", err, c.refusal)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestReadEndpoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []string
		refusal    string
	}{
		{"kind's", clusterFile, []string{"lab-control-plane:6443", "lab-control-plane2:6443"}, ""},
		{"before the nodes are known", "resources: []", nil, ""},
		{"two clusters", clusterFile + "- name: other\n", nil, "2 clusters"},
		{"a negative port", strings.ReplaceAll(clusterFile, "6443", "-1"), nil, "port -1"},
		{"no YAML", "\t", nil, "reading"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := readEndpoints(write(t, "cds.yaml", c.text))
			if c.refusal == "" && err != nil || c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal)) {
				t.Fatalf("refusal: %v, want %q", err, c.refusal)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(listenerFile)
	f.Add(clusterFile)
	f.Add("resources: [{load_assignment: {endpoints: [{lb_endpoints: [{}]}]}}]")
	f.Fuzz(func(t *testing.T, text string) {
		path := write(t, "file", text)
		listen, listenErr := readListener(path)
		endpoints, endpointsErr := readEndpoints(path)
		_, bootstrapErr := readBootstrap(path)
		for _, err := range []error{listenErr, endpointsErr, bootstrapErr} {
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
		}
		if listen != "" {
			endpoints = append(endpoints, listen)
		}
		for _, hostPort := range endpoints {
			if _, port, err := net.SplitHostPort(hostPort); err != nil || port == "0" {
				t.Errorf("%q cannot be dialled: %v", hostPort, err)
			}
		}
	})
}

// An apiServer answers with its name, and /healthz while it is well.
type apiServer struct {
	*httptest.Server
	unwell atomic.Bool
}

func (a *apiServer) address() string { return a.Listener.Addr().String() }

func startAPIServer(t *testing.T, name string) *apiServer {
	t.Helper()
	a := new(apiServer)
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" && a.unwell.Load() {
			http.Error(w, "etcd failed", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, name)
	}))
	t.Cleanup(a.Close)
	return a
}

// balance starts a balancer of the servers.
func balance(t *testing.T, servers ...*apiServer) *balancer {
	t.Helper()
	b := newBalancer()
	t.Cleanup(b.close)
	var addresses []string
	for _, server := range servers {
		addresses = append(addresses, server.address())
	}
	b.setEndpoints(addresses)
	if err := b.setListener("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return b
}

// answers counts who answers so many connections through the balancer.
func answers(t *testing.T, b *balancer, connections int) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	count := map[string]int{}
	for range connections {
		response, err := client.Get("https://" + b.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		name, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		count[string(name)]++
	}
	return fmt.Sprint(count)
}

func TestConnectionsGoInTurnToThoseThatAreWell(t *testing.T) {
	t.Parallel()
	one, two, three := startAPIServer(t, "one"), startAPIServer(t, "two"), startAPIServer(t, "three")
	b := balance(t, one, two, three)
	shares := func(when, want string) {
		t.Helper()
		if got := answers(t, b, 6); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	check := func() { b.check(t.Context()) }

	shares("before any check", "map[one:2 three:2 two:2]")
	check()
	shares("all are well", "map[one:2 three:2 two:2]")
	two.unwell.Store(true)
	check()
	shares("after one failure", "map[one:2 three:2 two:2]")
	check()
	if got := answers(t, b, 6); strings.Contains(got, "two") {
		t.Errorf("after two failures: %s", got)
	}
	two.unwell.Store(false)
	check()
	shares("well again", "map[one:2 three:2 two:2]")

	three.Close()
	if got := answers(t, b, 6); strings.Contains(got, "three") {
		t.Errorf("one is gone that no check has seen yet: %s", got)
	}
	one.unwell.Store(true)
	check()
	check()
	shares("two alone is well", "map[two:6]")
	b.setEndpoints([]string{one.address(), three.address(), two.address()})
	shares("told of the same servers again", "map[two:6]")
}

func TestTheLastThatIsNotWellIsStillTried(t *testing.T) {
	t.Parallel()
	one := startAPIServer(t, "one")
	one.unwell.Store(true)
	b := balance(t, one)
	for range unwellAfter {
		b.check(t.Context())
	}
	if got, want := answers(t, b, 2), "map[one:2]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTheFilesAreFollowed(t *testing.T) {
	t.Parallel()
	one, two := startAPIServer(t, "one"), startAPIServer(t, "two")
	f := files{clusters: write(t, "cds.yaml", "resources: []"), listeners: write(t, "lds.yaml", "resources: []")}
	b := newBalancer()
	t.Cleanup(b.close)
	replace := func(path, text string) error {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return b.configure(f)
	}
	cluster := func(server *apiServer) string {
		host, port, err := net.SplitHostPort(server.address())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("resources: [{load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: %s, port_value: %s}}}}]}]}}]", host, port)
	}
	who := func() string { t.Helper(); return answers(t, b, 1) }

	if err := b.configure(f); err != nil || b.listener != nil {
		t.Fatalf("empty files: %v, listening at %v", err, b.listener)
	}
	port := freePort(t)
	if err := replace(f.listeners, fmt.Sprintf("resources: [{address: {socket_address: {address: 127.0.0.1, port_value: %d}}}]", port)); err != nil {
		t.Fatal(err)
	}
	if err := replace(f.clusters, cluster(one)); err != nil || who() != "map[one:1]" {
		t.Fatalf("the first endpoint: %v", err)
	}
	if err := replace(f.clusters, "resources: ["); err == nil || who() != "map[one:1]" {
		t.Errorf("half a file: %v, want a refusal that changes nothing", err)
	}
	b.check(t.Context())
	if err := replace(f.clusters, cluster(two)); err != nil || who() != "map[two:1]" {
		t.Errorf("another endpoint: %v", err)
	}
	if err := replace(f.listeners, "resources: []"); err != nil || b.listener != nil {
		t.Errorf("no listener any more: %v, listening at %v", err, b.listener)
	}
}

// freePort returns a port that nothing listens on, and that no socket gets without asking
// for it by number: those start at 32768.
func freePort(t *testing.T) int {
	t.Helper()
	for port := 21400; port < 21500; port++ {
		if listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			_ = listener.Close()
			return port
		}
	}
	t.Fatal("no port is free from 21400 to 21499")
	return 0
}

// The API server's clients read until the end of a stream: exec does.
func TestTheEndOfAStreamIsPassedOn(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		connection, err := server.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		sent, _ := io.ReadAll(connection) // returns only when the client's end has come
		_, _ = connection.Write(append([]byte("got "), sent...))
	}()
	b := newBalancer()
	t.Cleanup(b.close)
	b.setEndpoints([]string{server.Addr().String()})
	if err := b.setListener("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", b.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, "this"); err != nil {
		t.Fatal(err)
	}
	if err := client.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(client); err != nil || string(answer) != "got this" {
		t.Errorf("answer %q, %v", answer, err)
	}
}
