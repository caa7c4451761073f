package certificate_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
)

// settled is when a change of a file is read: it must be quiet before.
const settled = time.Second

// A followed certificate is in a synctest bubble, whose clock stops while files are
// written.
type followed struct {
	t       *testing.T
	files   certificate.Files
	serving *certificate.Serving
	log     bytes.Buffer
	// trusted is what the kubeconfig was changed to, if it was.
	trusted []byte
	mu      sync.Mutex
	events  []func()
}

func (f *followed) watch(ctx context.Context, _ string, changed func()) error {
	f.mu.Lock()
	f.events = append(f.events, changed)
	f.mu.Unlock()
	<-ctx.Done()
	return nil
}

// follow follows files until the test ends.
func follow(t *testing.T, files certificate.Files) *followed {
	t.Helper()
	f := &followed{t: t, files: files}
	f.serving = load(t, files, certificate.Config{
		Watch: f.watch, Log: slog.New(slog.NewTextHandler(&f.log, nil)), Changed: func(trusted []byte) { f.trusted = trusted },
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { f.serving.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	f.pass(settled)
	return f
}

// pass reports a change of the directory, and lets time pass.
func (f *followed) pass(d time.Duration) {
	synctest.Wait()
	f.mu.Lock()
	for _, changed := range f.events {
		changed()
	}
	f.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
}

// put writes a file in place. The clock of the file system is not the bubble's.
func (f *followed) put(path string, content []byte) {
	f.t.Helper()
	put(f.t, path, content)
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		f.t.Fatal(err)
	}
}

// serves reports whether the certificate is served.
func (f *followed) serves(m made) bool {
	return bytes.Equal(served(f.t, f.serving).Certificate[0], m.certificate.Raw)
}

func TestFollow(t *testing.T) {
	t.Parallel()
	for name, renew := range map[string]func(f *followed, next, ca made){
		"the key, and later the certificate": func(f *followed, next, ca made) {
			f.put(f.files.Key, next.keyPEM(f.t))
			f.pass(settled)
			if f.serves(next) || !strings.Contains(f.log.String(), "level=WARN") {
				f.t.Errorf("between the two writes it serves the new one: %v; logged: %s", f.serves(next), f.log.String())
			}
			f.put(f.files.Cert, certPEM(next, ca))
		},
		"the certificate, and later the key": func(f *followed, next, ca made) {
			f.put(f.files.Cert, certPEM(next, ca))
			f.pass(settled)
			if f.serves(next) {
				f.t.Error("between the two writes it serves the new one")
			}
			f.put(f.files.Key, next.keyPEM(f.t))
		},
		"by renames": func(f *followed, next, ca made) {
			f.put(f.files.Key+".new", next.keyPEM(f.t))
			f.put(f.files.Cert+".new", certPEM(next, ca))
			for _, path := range []string{f.files.Key, f.files.Cert} {
				if err := os.Rename(path+".new", path); err != nil {
					f.t.Fatal(err)
				}
			}
		},
		"away, and back": func(f *followed, next, ca made) {
			if err := os.Remove(f.files.Cert); err != nil {
				f.t.Fatal(err)
			}
			f.pass(settled)
			f.put(f.files.Key, next.keyPEM(f.t))
			f.put(f.files.Cert, certPEM(next, ca))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca := sign(t, authority("CA"), nil, nil)
				first, next := sign(t, leaf("localhost"), nil, &ca), sign(t, leaf("localhost"), nil, &ca)
				f := follow(t, given(t, first, ca))
				if !f.serves(first) {
					t.Fatal("the first is not served")
				}
				renew(f, next, ca)
				f.pass(settled)
				if ends, _ := f.serving.Expires(); !f.serves(next) || !ends.Equal(next.certificate.NotAfter) {
					t.Errorf("the new one is not served (or expires at %s); logged: %s", ends, f.log.String())
				}
				if f.trusted != nil {
					t.Error("the kubeconfig is written again, although the CA is the same")
				}
			})
		})
	}
}

// TestFollowSecret swaps the link ..data, as the kubelet does for a mounted Secret.
func TestFollowSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := sign(t, authority("CA"), nil, nil)
		first, next := sign(t, leaf("localhost"), nil, &ca), sign(t, leaf("localhost"), nil, &ca)
		dir := t.TempDir()
		link := func(version string, m made) {
			into := filepath.Join(dir, version)
			if err := os.Mkdir(into, 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, certificate.Files{Cert: filepath.Join(into, "tls.crt"), Key: filepath.Join(into, "tls.key")}, m, ca)
			if err := os.Symlink(version, filepath.Join(dir, "..data.new")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "..data.new"), filepath.Join(dir, "..data")); err != nil {
				t.Fatal(err)
			}
		}
		link("..1", first)
		for _, name := range []string{"tls.crt", "tls.key"} {
			if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		f := follow(t, certificate.Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")})
		link("..2", next)
		f.pass(settled)
		if !f.serves(next) || strings.Contains(f.log.String(), "WARN") {
			t.Errorf("the new one is served: %v; logged: %s", f.serves(next), f.log.String())
		}
	})
}

// TestFollowKeepsWhatWorks writes certificates that a kube-apiserver would refuse.
func TestFollowKeepsWhatWorks(t *testing.T) {
	t.Parallel()
	ca, otherCA := sign(t, authority("CA"), nil, nil), sign(t, authority("other"), nil, nil)
	for name, test := range map[string]struct {
		before []made
		next   func(t *testing.T) []made
		want   string
	}{
		"expired": {[]made{sign(t, leaf("localhost"), nil, &ca), ca}, func(t *testing.T) []made {
			template := leaf("localhost")
			template.NotBefore, template.NotAfter = template.NotBefore.AddDate(0, -2, 0), template.NotAfter.AddDate(0, -2, 0)
			return []made{sign(t, template, nil, &ca), ca}
		}, "expired"},
		"not yet valid": {[]made{sign(t, leaf("localhost"), nil, &ca), ca}, func(t *testing.T) []made {
			template := leaf("localhost")
			template.NotBefore = time.Now().AddDate(0, 0, 1)
			return []made{sign(t, template, nil, &ca), ca}
		}, "is not valid before"},
		"another name": {[]made{sign(t, leaf("localhost"), nil, &ca), ca}, func(t *testing.T) []made {
			return []made{sign(t, leaf("other.example.com"), nil, &ca), ca}
		}, "valid for other.example.com"},
		"another CA":           {[]made{ca}, func(*testing.T) []made { return []made{otherCA} }, "append the new CA to the old one first"},
		"a leaf of another CA": {[]made{ca}, func(t *testing.T) []made { return []made{sign(t, leaf("localhost"), nil, &otherCA), otherCA} }, "append the new CA to the old one first"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// The certificates were made before the bubble, whose clock is in 2000.
				// The test starts shortly before midnight: a new date is no new problem.
				start := ca.certificate.NotBefore.Add(2 * time.Hour)
				time.Sleep(time.Until(start.Truncate(24 * time.Hour).Add(24*time.Hour - time.Minute)))
				f := follow(t, given(t, test.before...))
				write(t, f.files, test.next(t)...)
				f.pass(settled)
				if err := connect(t, f.serving, certPEM(ca), "localhost"); err != nil || f.trusted != nil {
					t.Errorf("after it: %v; the kubeconfig is written: %v", err, f.trusted != nil)
				}
				if text := f.log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, test.want) {
					t.Errorf("logged, want one warning with %q: %s", test.want, text)
				}
				f.pass(25 * time.Hour)
				if text := f.log.String(); name != "not yet valid" && strings.Count(text, "level=WARN") != 2 {
					t.Errorf("logged a day later, want a second warning: %s", text)
				}
				if name == "not yet valid" && !strings.Contains(f.log.String(), "is renewed") {
					t.Errorf("it is not served once it is valid: %s", f.log.String())
				}
			})
		})
	}
}

// TestRenewalIsLoggedOnce renews a certificate and its key at once, as in a mounted Secret:
// each of the two files is followed.
func TestRenewalIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := sign(t, authority("CA"), nil, nil)
		f := follow(t, given(t, sign(t, leaf("localhost"), nil, &ca), ca))
		write(t, f.files, sign(t, leaf("localhost"), nil, &ca), ca)
		f.pass(settled)
		f.serving.Reread()
		synctest.Wait()
		if text := f.log.String(); strings.Count(text, "the serving certificate is renewed") != 1 {
			t.Errorf("logged, want one renewal: %s", text)
		}
	})
}

// TestReplacingTheAuthority replaces a CA in the documented steps. A kube-apiserver that
// restarts after the first step connects throughout.
func TestReplacingTheAuthority(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old, next := sign(t, authority("CA"), nil, nil), sign(t, authority("CA"), nil, nil)
		f := follow(t, given(t, old))
		write(t, f.files, old, next) // 1. the file trusts the new one, too
		f.pass(settled)
		if !bytes.Equal(f.trusted, certPEM(old, next)) {
			t.Fatalf("the kubeconfig does not trust both; logged: %s", f.log.String())
		}
		kubeconfig := f.trusted      // 2. kube-apiserver restarts
		write(t, f.files, next, old) // 3. the new one signs
		f.pass(settled)
		if err := connect(t, f.serving, kubeconfig, "localhost"); err != nil {
			t.Error(err)
		}
		if err := connect(t, f.serving, certPEM(next), "localhost"); err != nil {
			t.Errorf("it does not sign: %v; logged: %s", err, f.log.String())
		}
		write(t, f.files, next) // 4. the old one goes
		f.pass(settled)
		if err := connect(t, f.serving, kubeconfig, "localhost"); err != nil || !bytes.Equal(f.trusted, certPEM(next)) {
			t.Errorf("%v; the kubeconfig trusts %s", err, f.trusted)
		}
	})
}

// TestReread has a CA sign a new leaf.
func TestReread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, certificate.StateFiles(t.TempDir()))
		first := served(t, f.serving)
		f.serving.Reread()
		f.pass(settled)
		if served(t, f.serving) == first {
			t.Error("the leaf is the same")
		}
		if err := connect(t, f.serving, f.serving.Trusted(), "localhost"); err != nil {
			t.Error(err)
		}
	})
}

// TestExpiryIsLogged lets a given certificate of two days expire.
func TestExpiryIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := sign(t, authority("CA"), nil, nil)
		template := leaf("localhost")
		template.NotAfter = time.Now().Add(2 * day)
		f := follow(t, given(t, sign(t, template, nil, &ca), ca))
		f.pass(44 * time.Hour)
		if text := f.log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "expires on") || strings.Contains(text, "level=ERROR") {
			t.Errorf("before its end: %s", text)
		}
		f.pass(6 * time.Hour)
		if text := f.log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "no kube-apiserver can connect") {
			t.Errorf("after its end: %s", text)
		}
	})
}
