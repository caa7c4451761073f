package presign

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/presign/cache"
)

// margin is how long before it expires a token or a session is not used any more.
const margin = time.Minute

// cacheFileVariable names the file in which aws-iam-authenticator keeps credentials.
const cacheFileVariable = "AWS_IAM_AUTHENTICATOR_CACHE_FILE"

// A Cache keeps tokens, so that kube-apiserver's own cache knows them, and the
// expiring credentials of sessions, so that a user types one MFA code a session. It
// keeps no long-term key. The zero Cache keeps nothing.
//
// A Cache that does not work never prevents a token: it warns once.
type Cache struct {
	// Dir is the path of a directory of this user. It is created if it is missing.
	Dir string
	// Warn receives the reason why the cache does not work.
	Warn func(error)
}

// CacheDir returns the default directory of a [Cache]. It is beside the file in which
// aws-iam-authenticator keeps credentials, which is not read or written.
func CacheDir() (string, error) {
	const name = "kube-iam-authenticator"
	if path := os.Getenv(cacheFileVariable); path != "" {
		return filepath.Join(filepath.Dir(path), name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".kube", "cache", name), nil
}

// Token returns the token that the cache has, or makes one.
func (c Cache) Token(ctx context.Context, config Config) (Token, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	k := c.open(ctx, config)
	if k == nil {
		return makeToken(ctx, config, nil)
	}
	key := k.tokenKey()
	if made, ok := k.token(ctx, key); ok {
		return made, nil
	}
	// Processes with the same settings take turns: the first makes the token or
	// asks for the MFA code, and the others find what it kept.
	unlock, err := k.dir.Lock(ctx, k.key("lock"))
	if ctx.Err() != nil {
		return Token{}, context.Cause(ctx)
	}
	if err != nil {
		c.warn(fmt.Errorf("the token cache is not used: %w", err))
		return makeToken(ctx, config, nil)
	}
	defer unlock()
	if made, ok := k.token(ctx, key); ok {
		return made, nil
	}
	made, err := makeToken(ctx, config, k)
	if err == nil {
		k.store(ctx, key, keptToken{key.String(), made.Token, config.Now(), made.Expiration}, made.Expiration)
	}
	return made, err
}

func makeToken(ctx context.Context, config Config, k *keeper) (Token, error) {
	p, err := newPresigner(ctx, config, k)
	if err != nil {
		return Token{}, err
	}
	return p.Token(ctx)
}

func (c Cache) warn(err error) {
	if c.Warn != nil {
		c.Warn(err)
	}
}

// open returns nil if the cache cannot be used.
func (c Cache) open(ctx context.Context, config Config) *keeper {
	if c.Dir == "" {
		return nil
	}
	dir, err := cache.Open(c.Dir)
	if err != nil {
		c.warn(fmt.Errorf("the token cache is not used: %w", err))
		return nil
	}
	settings, err := settings(ctx)
	if err != nil {
		c.warn(fmt.Errorf("the token cache is not used: reading the AWS settings: %w", err))
		return nil
	}
	return &keeper{config: config, dir: dir, settings: settings, warn: c.warn}
}

// A keeper keeps what was made from the same settings.
type keeper struct {
	config   Config
	dir      *cache.Dir
	settings fingerprint
	warn     func(error)
	warned   bool
}

// warnOnce warns unless it has: a full disk is one problem.
func (k *keeper) warnOnce(err error) {
	if !k.warned {
		k.warned = true
		k.warn(err)
	}
}

// key returns the key of what depends on the settings, the profile and more.
func (k *keeper) key(kind string, more ...string) cache.Key {
	sum := sha256.New()
	add(sum, "v1 "+kind)
	add(sum, string(k.settings[:]))
	add(sum, k.config.Profile)
	for _, text := range more {
		add(sum, text)
	}
	return cache.Key(sum.Sum(nil))
}

// tokenKey is the key of the token. The STS endpoint follows from the region and the
// settings.
func (k *keeper) tokenKey() cache.Key {
	return k.key("token", append(k.role(), hostname(), k.config.ClusterID, k.config.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))...)
}

// role is what distinguishes the sessions of roles.
func (k *keeper) role() []string {
	c := k.config
	role := []string{c.RoleARN, c.ExternalID, c.SessionName, strconv.FormatBool(c.ForwardSessionName)}
	if c.ForwardSessionName { // it may be the name of the instance
		role = append(role, hostname())
	}
	return role
}

// hostname distinguishes the hosts that share a home directory: without other settings,
// each gets other credentials from its metadata service.
func hostname() string {
	name, _ := os.Hostname() // empty where it has none
	return name
}

// keptToken is the content of a token's file.
type keptToken struct {
	Key        string
	Token      string
	Made       time.Time
	Expiration time.Time
}

// token returns the token in the cache, unless it expires soon. A token from the
// future was made while the clock was wrong.
func (k *keeper) token(ctx context.Context, key cache.Key) (Token, bool) {
	var kept keptToken
	if !k.load(ctx, key, &kept) {
		return Token{}, false
	}
	if kept.Key != key.String() || kept.Token == "" {
		k.warnOnce(fmt.Errorf("the token cache: file %s.json was not written by this program: ignoring it", key))
		return Token{}, false
	}
	now := k.config.Now()
	fresh := !kept.Made.After(now) && now.Before(kept.Expiration.Add(-margin)) && !kept.Expiration.After(kept.Made.Add(token.Lifetime))
	return Token{kept.Token, kept.Expiration}, fresh
}

// load reads a file, if there is one, and warns about one that cannot be used.
func (k *keeper) load(ctx context.Context, key cache.Key, content any) bool {
	text, err := k.dir.Read(ctx, key)
	if text == nil && err == nil {
		return false
	}
	if err == nil && json.Unmarshal(text, content) != nil {
		// The error would quote the file.
		err = fmt.Errorf("file %s.json is not valid JSON", key)
	}
	if err != nil {
		k.warnOnce(fmt.Errorf("the token cache: %w: ignoring it", err))
		return false
	}
	return true
}

// store writes a file. It does not if the settings have changed since the key was
// made: the content may come from the new ones.
func (k *keeper) store(ctx context.Context, key cache.Key, content any, expires time.Time) {
	now, err := settings(ctx)
	if err != nil || now != k.settings {
		return
	}
	text, err := json.Marshal(content)
	if err == nil {
		err = k.dir.Write(key, text, k.config.Now(), expires)
	}
	if err != nil {
		k.warnOnce(fmt.Errorf("the token cache: %w", err))
	}
}
