package certificate_test

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
)

func TestAuthorityIsMadeOnce(t *testing.T) {
	t.Parallel()
	files := certificate.StateFiles(t.TempDir() + "/missing")
	if pair, err := files.Load(t.Context(), time.Now()); pair != nil || err != nil {
		t.Errorf("before it is made: %v, %v", pair, err)
	}
	first, err := files.LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !first.IsCA() || time.Until(first.Expires()) < 9*365*24*time.Hour {
		t.Errorf("a CA: %v, until %s; want one for ten years", first.IsCA(), first.Expires())
	}
	if info, err := os.Stat(files.Key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
	again, err := files.LoadOrGenerate(t.Context(), "other.example.com", "127.0.0.1", time.Now())
	if err != nil || !bytes.Equal(again.Trusted(), first.Trusted()) {
		t.Errorf("it is made again, %v", err)
	}
}

// TestAuthorityIsServable goes back to aws-iam-authenticator, which serves cert.pem.
func TestAuthorityIsServable(t *testing.T) {
	t.Parallel()
	files := certificate.StateFiles(t.TempDir())
	pair, err := files.LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(pair.Trusted(), pair.Trusted(), "localhost"); err != nil {
		t.Error(err)
	}
}

// TestKeyWithoutCertificate starts after a process that was killed between the two
// writes.
func TestKeyWithoutCertificate(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]made{"ours": sign(t, authority("CA"), nil, nil), "aws-iam-authenticator's": incumbents(t, "localhost")} {
		t.Run(name, func(t *testing.T) {
			files := certificate.StateFiles(t.TempDir())
			put(t, files.Key, key.keyPEM(t))
			serving := load(t, files, certificate.Config{})
			if err := serving.Refused(); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadFile(files.Key); err != nil || !bytes.Equal(left, key.keyPEM(t)) {
				t.Errorf("the key is replaced, %v", err)
			}
		})
	}
}

// TestServersOfOneDirectory start at once, and agree on one CA.
func TestServersOfOneDirectory(t *testing.T) {
	t.Parallel()
	for range 20 {
		files := certificate.StateFiles(t.TempDir())
		pairs := make([]*certificate.Pair, 8)
		var starting sync.WaitGroup
		for i := range pairs {
			starting.Go(func() {
				var err error
				if pairs[i], err = files.LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now()); err != nil {
					t.Error(err)
				}
			})
		}
		starting.Wait()
		last, err := files.Load(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range pairs {
			serving, err := certificate.New(certificate.Config{Hostname: "localhost"}, pair)
			if err != nil {
				t.Fatal(err)
			}
			if err := connect(t, serving, last.Trusted(), "localhost"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	ca, other := sign(t, authority("CA"), nil, nil), sign(t, authority("other"), nil, nil)
	expired := leaf("localhost")
	expired.NotBefore, expired.NotAfter = time.Now().AddDate(0, -2, 0), time.Now().AddDate(0, -1, 0)
	many := make([]made, 17)
	for i := range many {
		many[i] = ca
	}
	for name, test := range map[string]struct {
		cert, key []byte
		want      string
	}{
		"no key":           {certPEM(ca), nil, "cert.pem to have new ones made"},
		"an empty key":     {certPEM(ca), []byte{}, "failed to find any PEM data in key input"},
		"a lone large key": {nil, bytes.Repeat([]byte("x"), 1<<20+1), "key.pem is too large"},
		"a lone bad key":   {nil, []byte("x"), "expected a private key as PEM"},
		"nonsense":         {[]byte("x"), ca.keyPEM(t), "key.pem, and restart to generate new ones"},
		"another key":      {certPEM(ca), other.keyPEM(t), "private key does not match public key"},
		"expired":          {certPEM(sign(t, expired, nil, nil)), nil, `"server" expired on `},
		"too many":         {certPEM(many...), ca.keyPEM(t), "it has 17 certificates (at most 16)"},
		"too large":        {bytes.Repeat([]byte("x"), 1<<20+1), ca.keyPEM(t), "too large (at most 1 MiB)"},
		"a broken second":  {append(certPEM(ca), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...), ca.keyPEM(t), "malformed certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			files := certificate.StateFiles(t.TempDir())
			if name == "expired" {
				m := sign(t, expired, nil, nil)
				test.cert, test.key = certPEM(m), m.keyPEM(t)
			}
			if test.cert != nil {
				put(t, files.Cert, test.cert)
			}
			if test.key != nil {
				put(t, files.Key, test.key)
			}
			if _, err := files.LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q in it", err, test.want)
			}
			if now, err := os.ReadFile(files.Key); err == nil && !bytes.Equal(now, test.key) {
				t.Error("the key is replaced")
			}
		})
	}
}

// TestOperatorsFilesAreNeverMade misses files that an operator names.
func TestOperatorsFilesAreNeverMade(t *testing.T) {
	t.Parallel()
	files := given(t, sign(t, authority("CA"), nil, nil))
	for _, path := range []string{files.Cert, files.Key} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := files.LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now()); err == nil {
			t.Errorf("without %s there is no error", path)
		}
	}
}

// FuzzLoad loads any files. What is loaded can be served.
func FuzzLoad(f *testing.F) {
	ca, old := sign(f, authority("CA"), nil, nil), incumbents(f, "localhost")
	one := sign(f, leaf("localhost"), nil, &ca)
	f.Add(certPEM(ca), ca.keyPEM(f))
	f.Add(certPEM(old), old.keyPEM(f))
	f.Add(certPEM(one, ca), one.keyPEM(f))
	f.Add(certPEM(ca), []byte{})
	f.Add([]byte(nil), one.keyPEM(f))
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		files := certificate.StateFiles(t.TempDir())
		put(t, files.Cert, cert)
		put(t, files.Key, key)
		pair, err := files.Load(t.Context(), time.Now())
		if err != nil {
			return
		}
		serving, err := certificate.New(certificate.Config{Hostname: "localhost"}, pair)
		if err != nil {
			return // a CA that cannot sign
		}
		served(t, serving)
		_ = serving.Refused()
		_ = serving.Ending()
	})
}
