package certificate_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
)

// client returns the template of a client's certificate that is valid for a month.
func client() *x509.Certificate {
	template := leaf("")
	template.DNSNames, template.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return template
}

// connection returns the state of a connection whose client sends a chain.
func connection(chain ...made) *tls.ConnectionState {
	state := &tls.ConnectionState{}
	for _, m := range chain {
		state.PeerCertificates = append(state.PeerCertificates, m.certificate)
	}
	return state
}

func TestClients(t *testing.T) {
	t.Parallel()
	ca, other := sign(t, authority("CA"), nil, nil), sign(t, authority("other"), nil, nil)
	middle := sign(t, authority("intermediate"), nil, &ca)
	expired := client()
	expired.NotAfter = time.Now().Add(-time.Minute)
	path := filepath.Join(t.TempDir(), "ca.crt")
	put(t, path, certPEM(ca))
	clients, err := certificate.NewClients(t.Context(), path, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	through := sign(t, client(), nil, &middle)
	for name, test := range map[string]struct {
		state *tls.ConnectionState
		want  string
	}{
		"its CA's":              {connection(sign(t, client(), nil, &ca)), ""},
		"through another":       {connection(through, middle), ""},
		"the other missing":     {connection(through), "unknown authority"},
		"another CA's":          {connection(sign(t, client(), nil, &other), other), "unknown authority"},
		"a server's":            {connection(sign(t, leaf("localhost"), nil, &ca)), "incompatible key usage"},
		"expired":               {connection(sign(t, expired, nil, &ca)), "expired"},
		"as many as may be":     {connection(through, middle, other, other, other), ""},
		"too many":              {connection(through, middle, other, other, other, other), "the client sends 6 certificates (at most 5)"},
		"no certificate":        {connection(), "the client has no certificate"},
		"a connection in clear": {nil, "the client has no certificate"},
	} {
		err := clients.Verify(test.state)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestClientsAreFollowed replaces the file of CAs. Connections that were made before
// are judged by the new one, too.
func TestClientsAreFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, other := sign(t, authority("CA"), nil, nil), sign(t, authority("other"), nil, nil)
		before, after := connection(sign(t, client(), nil, &ca)), connection(sign(t, client(), nil, &other))
		path := filepath.Join(t.TempDir(), "ca.crt")
		put(t, path, certPEM(ca))
		var log bytes.Buffer
		watch := func(ctx context.Context, _ string, _ func()) error { <-ctx.Done(); return nil }
		clients, err := certificate.NewClients(t.Context(), path, watch, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { clients.Run(ctx) })
		defer func() { stop(); running.Wait() }()
		reread := func(content []byte) {
			put(t, path, content)
			clients.Reread()
			time.Sleep(settled)
			synctest.Wait()
		}
		if clients.Verify(before) != nil || clients.Verify(after) == nil {
			t.Error("the first CA is not in force")
		}
		reread([]byte("nonsense"))
		if clients.Verify(before) != nil || !strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("nonsense replaces a CA; logged: %s", log.String())
		}
		reread(certPEM(ca, other))
		if clients.Verify(before) != nil || clients.Verify(after) != nil {
			t.Error("not both are in force")
		}
		reread(certPEM(other))
		if clients.Verify(before) == nil || clients.Verify(after) != nil {
			t.Error("the second CA alone is not in force")
		}
	})
}

// TestClientCAsThatComeLater begins with a file that is missing or incomplete. No client is
// accepted before it can be used.
func TestClientCAsThatComeLater(t *testing.T) {
	t.Parallel()
	for _, begin := range []string{"missing", "", "nonsense"} {
		synctest.Test(t, func(t *testing.T) {
			ca := sign(t, authority("CA"), nil, nil)
			state := connection(sign(t, client(), nil, &ca))
			path := filepath.Join(t.TempDir(), "ca.crt")
			if begin != "missing" {
				put(t, path, []byte(begin))
			}
			var log bytes.Buffer
			watch := func(ctx context.Context, _ string, _ func()) error { <-ctx.Done(); return nil }
			clients, err := certificate.NewClients(t.Context(), path, watch, slog.New(slog.NewTextHandler(&log, nil)))
			if err == nil || clients.Ready() == nil || clients.Verify(state) == nil {
				t.Fatalf("%s: %v, ready: %v", begin, err, clients.Ready())
			}
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { clients.Run(ctx) })
			defer func() { stop(); running.Wait() }()
			time.Sleep(settled)
			synctest.Wait()
			if strings.Count(log.String(), "no client is accepted until it can") != 1 {
				t.Errorf("%s: logged: %s", begin, log.String())
			}
			put(t, path, certPEM(ca))
			clients.Reread()
			time.Sleep(settled)
			synctest.Wait()
			if err := clients.Verify(state); err != nil || clients.Ready() != nil {
				t.Errorf("%s: with the file: %v, ready: %v", begin, err, clients.Ready())
			}
		})
	}
}

func TestClientCAsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	ca := sign(t, authority("CA"), nil, nil)
	for want, content := range map[string][]byte{
		"expected certificates as PEM": []byte("nonsense"),
		"unexpected PRIVATE KEY":       append(certPEM(ca), ca.keyPEM(t)...),
		"malformed certificate":        []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"too large":                    bytes.Repeat([]byte("\n"), 1<<20+1),
	} {
		path := filepath.Join(t.TempDir(), "ca.crt")
		put(t, path, content)
		if _, err := certificate.NewClients(t.Context(), path, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}
