package presign_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/token/presign"
)

// A keeping test makes tokens with a cache and a clock.
type keeping struct {
	t        *testing.T
	cache    presign.Cache
	now      time.Time
	warnings []string
	// assumed counts the sessions of roles that were started.
	assumed atomic.Int64
	// lifetime of the next session.
	lifetime time.Duration
}

func keep(t *testing.T) *keeping {
	t.Helper()
	environment(t)
	k := &keeping{t: t, now: now(), lifetime: time.Hour}
	k.cache = presign.Cache{Dir: filepath.Join(t.TempDir(), "cache"), Warn: func(err error) { k.warnings = append(k.warnings, err.Error()) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"+
			"<SessionToken>session%d</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
			k.assumed.Add(1), k.now.Add(k.lifetime).Format(time.RFC3339))
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	return k
}

func (k *keeping) token(role string) presign.Token {
	k.t.Helper()
	made, err := k.cache.Token(k.t.Context(), presign.Config{ClusterID: "c", Region: "eu-west-2", RoleARN: role, Now: func() time.Time { return k.now }})
	if err != nil {
		k.t.Fatal(err)
	}
	return made
}

func (k *keeping) warned(count int, with string) {
	k.t.Helper()
	if len(k.warnings) != count || !strings.Contains(strings.Join(k.warnings, "\n"), with) {
		k.t.Errorf("warnings %q, want %d with %q", k.warnings, count, with)
	}
	k.warnings = nil
}

// TestCacheKeepsTokens moves the clock: a token is kept until a minute before it
// expires, and one from the future is not used.
func TestCacheKeepsTokens(t *testing.T) {
	k := keep(t)
	first := k.token("")
	for _, test := range []struct {
		after time.Duration
		kept  bool
	}{{time.Second, true}, {13*time.Minute - time.Second, true}, {13 * time.Minute, false}} {
		k.now = now().Add(test.after)
		if got := k.token(""); got == first != test.kept {
			t.Errorf("after %s: kept is %v, want %v", test.after, got == first, test.kept)
		}
	}
	k.now = now() // the last token is from the future now
	again := k.token("")
	if want := now().Add(14 * time.Minute); !again.Expiration.Equal(want) {
		t.Errorf("it expires at %s, want %s", again.Expiration, want)
	}
	k.warned(0, "")
}

// TestCacheKeepsSessions: the token expires with its session, and a session that
// expires within a minute is not used.
func TestCacheKeepsSessions(t *testing.T) {
	k := keep(t)
	const role = "arn:aws:iam::231144931069:role/r"
	k.lifetime = 10 * time.Minute
	if got, want := k.token(role).Expiration, now().Add(10*time.Minute); !got.Equal(want) {
		t.Errorf("it expires at %s, want %s", got, want)
	}
	k.lifetime = time.Hour
	k.now = now().Add(9*time.Minute - time.Second)
	k.token(role)
	if k.assumed.Load() != 1 {
		t.Errorf("%d sessions, want 1", k.assumed.Load())
	}
	k.now = now().Add(9 * time.Minute)
	k.token(role)
	k.now = k.now.Add(58 * time.Minute) // another token of the same session
	if got, want := k.token(role).Expiration, now().Add(69*time.Minute); !got.Equal(want) || k.assumed.Load() != 2 {
		t.Errorf("it expires at %s, want %s; %d sessions, want 2", got, want, k.assumed.Load())
	}
	k.now = now() // the session is from the future now
	k.token(role)
	if k.assumed.Load() != 3 {
		t.Errorf("%d sessions, want 3", k.assumed.Load())
	}
}

// TestCacheMakesOneToken asks for a token many times at once.
func TestCacheMakesOneToken(t *testing.T) {
	k := keep(t)
	const role = "arn:aws:iam::231144931069:role/r"
	tokens := make([]presign.Token, 8)
	var all sync.WaitGroup
	for i := range tokens {
		all.Go(func() {
			cache := presign.Cache{Dir: k.cache.Dir, Warn: func(err error) { t.Error(err) }}
			var err error
			tokens[i], err = cache.Token(t.Context(), presign.Config{ClusterID: "c", Region: "eu-west-2", RoleARN: role, Now: func() time.Time { return k.now }})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, made := range tokens {
		if made != tokens[0] {
			t.Error("the tokens differ")
		}
	}
	if k.assumed.Load() != 1 {
		t.Errorf("%d sessions, want 1", k.assumed.Load())
	}
}

// TestCacheIgnoresOtherFiles puts one token's file in the place of another, and what
// no token can be.
func TestCacheIgnoresOtherFiles(t *testing.T) {
	k := keep(t)
	first := k.token("")
	files, err := filepath.Glob(filepath.Join(k.cache.Dir, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	k.now = now().Add(time.Second)
	name := strings.TrimSuffix(filepath.Base(files[0]), ".json")
	for text, want := range map[string]string{
		"":     "is not valid JSON",
		"null": "was not written by this program", "{}": "was not written by this program", "[]": "is not valid JSON",
		strings.Replace(string(content), name, strings.Repeat("0", 64), 1): "was not written by this program",
		strings.Replace(string(content), first.Token, "", 1):               "was not written by this program",
		string(content[:len(content)/2]):                                   "is not valid JSON",
		strings.Repeat("x", 65<<10):                                        "is too large",
	} {
		if err := os.WriteFile(files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if k.token("") == first {
			t.Errorf("%.40q is used", text)
		}
		k.warned(1, want)
	}
	// It was repaired.
	if k.token(""); len(k.warnings) > 0 {
		t.Error(k.warnings)
	}
	// An expiration that no token has.
	late := strings.Replace(string(content), first.Expiration.Format(time.RFC3339), first.Expiration.Add(time.Hour).Format(time.RFC3339), 1)
	if err := os.WriteFile(files[0], []byte(late), 0o600); err != nil {
		t.Fatal(err)
	}
	if k.token("").Token == first.Token {
		t.Error("a token with an expiration in an hour is used")
	}
}

// TestCacheThatCannotWrite still makes a token, and warns once.
func TestCacheThatCannotWrite(t *testing.T) {
	k := keep(t)
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("requires /dev/full")
	}
	k.cache.Dir = "/proc/self/fd" // no file can be created there
	if k.token("").Token == "" {
		t.Error("no token")
	}
	if len(k.warnings) != 1 {
		t.Error(k.warnings)
	}
}

// TestCacheKeyHasEverySetting changes each setting that credentials come from.
func TestCacheKeyHasEverySetting(t *testing.T) {
	k := keep(t)
	home := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("AWS_CONFIG_FILE", "")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "")
	write(".aws/config", "[profile web]\nweb_identity_token_file = "+filepath.Join(home, "jwt")+"\n")
	write("pod-token", "a pod's")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", filepath.Join(home, "pod-token"))
	last := k.token("")
	for _, change := range []struct {
		name string
		do   func()
	}{
		{"the secret", func() { t.Setenv("AWS_SECRET_ACCESS_KEY", "other") }},
		{"the key", func() { t.Setenv("AWS_ACCESS_KEY_ID", "AKIAI44QH8DHBEXAMPLE") }},
		{"the session token", func() { t.Setenv("AWS_SESSION_TOKEN", "s") }},
		{"a variable of Windows, which ignores the case of names", func() { t.Setenv("aws_ca_bundle_", "x") }},
		{"the token of a pod", func() { write("pod-token", "another pod's") }},
		{"the variant of the endpoint", func() { t.Setenv("AWS_USE_FIPS_ENDPOINT", "true") }},
		{"the credentials file", func() { write(".aws/credentials", "[other]\n") }},
		{"the configuration file", func() {
			write(".aws/config", "[profile web]\nweb_identity_token_file = "+filepath.Join(home, "jwt")+"\n#\n")
		}},
		{"a web identity token", func() { write("jwt", "x") }},
		{"a login of IAM Identity Center", func() { write(".aws/sso/cache/x.json", "{}") }},
		{"a login of the console", func() { write(".aws/login/cache/x.json", "{}") }},
		{"another login", func() { write(".aws/sso/cache/x.json", "{ }") }},
		{"a logout", func() {
			if err := os.Remove(filepath.Join(home, ".aws/sso/cache/x.json")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		k.now = k.now.Add(time.Millisecond) // the same token, if nothing else changes it
		if k.token("") != last {
			t.Fatalf("before %s: not kept", change.name)
		}
		change.do()
		k.now = k.now.Add(time.Second)
		next := k.token("")
		if next == last {
			t.Errorf("%s does not change the key", change.name)
		}
		last = next
	}
	// What changes no credential.
	t.Setenv("AWS_PAGER", "less")
	if k.now = k.now.Add(time.Second); k.token("") != last {
		t.Error("AWS_PAGER changes the key")
	}
	k.warned(0, "")
	for i := range 257 {
		write(fmt.Sprintf(".aws/sso/cache/%d.json", i), "{}")
	}
	k.token("")
	k.warned(1, "too many files (at most 256")
}
