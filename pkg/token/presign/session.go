package presign

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"

	"github.com/kube-iam/authenticator/pkg/token/presign/cache"
)

const (
	// keptSessionDuration is the duration of the sessions of assumed roles that are
	// kept: the default of STS and of the AWS CLI, and the most in a chain of roles.
	// Every role allows it.
	keptSessionDuration = time.Hour
	// maxSession is the longest session of AWS that is kept. A later expiration
	// comes from a wrong clock.
	maxSession = 12 * time.Hour
)

// keptSession is the content of a session's file.
type keptSession struct {
	Key             string
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Source          string
	Made            time.Time
	Expiration      time.Time
}

// baseKey is the key of the session that the profile or the environment starts.
func (k *keeper) baseKey() cache.Key { return k.key("session") }

// roleKey is the key of the session of the role.
func (k *keeper) roleKey() cache.Key { return k.key("session", k.role()...) }

// session returns the session in the cache, unless it expires soon.
func (k *keeper) session(ctx context.Context, key cache.Key) (aws.Credentials, bool) {
	var kept keptSession
	if k == nil || !k.load(ctx, key, &kept) {
		return aws.Credentials{}, false
	}
	if kept.Key != key.String() || kept.AccessKeyID == "" || kept.SecretAccessKey == "" || kept.SessionToken == "" {
		k.warnOnce(fmt.Errorf("the token cache: file %s.json was not written by this program: ignoring it", key))
		return aws.Credentials{}, false
	}
	now := k.config.Now()
	fresh := !kept.Made.After(now) && now.Before(kept.Expiration.Add(-margin)) && !kept.Expiration.After(kept.Made.Add(maxSession+margin))
	return aws.Credentials{
		AccessKeyID: kept.AccessKeyID, SecretAccessKey: kept.SecretAccessKey, SessionToken: kept.SessionToken,
		Source: kept.Source, CanExpire: true, Expires: kept.Expiration,
	}, fresh
}

// storeSession keeps a session of a role, of web identity or of IAM Identity Center.
// It keeps no long-term key, and no session from elsewhere: processes have caches of
// their own, and the metadata service is near.
func (k *keeper) storeSession(ctx context.Context, key cache.Key, c aws.Credentials) {
	kinds := []string{stscreds.ProviderName, stscreds.WebIdentityProviderName, ssocreds.ProviderName}
	if k == nil || !c.CanExpire || c.SessionToken == "" || !slices.Contains(kinds, c.Source) {
		return
	}
	k.store(ctx, key, keptSession{
		Key: key.String(), AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		Source: c.Source, Made: k.config.Now(), Expiration: c.Expires,
	}, c.Expires)
}

// A keptProvider looks in the cache before it asks the provider.
type keptProvider struct {
	aws.CredentialsProvider
	keeper *keeper
	key    cache.Key
}

func (p keptProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if session, ok := p.keeper.session(ctx, p.key); ok {
		return session, nil
	}
	session, err := p.CredentialsProvider.Retrieve(ctx)
	if err == nil {
		p.keeper.storeSession(ctx, p.key, session)
	}
	return session, err
}
