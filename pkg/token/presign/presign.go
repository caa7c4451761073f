// Package presign makes tokens: the client's half of pkg/token.
//
// It finds credentials where every AWS tool does: in the environment, profiles, SSO,
// a process, web identity or the instance metadata service. Making a token needs no
// network call, unless a role is assumed or the credentials must be fetched.
package presign

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"github.com/kube-iam/authenticator/internal/stack"
	"github.com/kube-iam/authenticator/pkg/partition"
	"github.com/kube-iam/authenticator/pkg/token"
)

const (
	// reportedLifetime is a minute less than a token's lifetime, so that kubectl asks
	// for a new one before the old one expires.
	reportedLifetime = token.Lifetime - time.Minute
	// defaultSessionName is what `aws eks get-token --role-arn` calls its session.
	defaultSessionName = "EKSGetTokenAuth"
	// imdsTimeout is short, because on a laptop the service does not exist.
	imdsTimeout   = time.Second
	defaultRegion = "us-east-1"
)

// Config is the configuration of [New]. ClusterID must be set.
type Config struct {
	// ClusterID is the ID of the only cluster that accepts the token.
	ClusterID string
	// Region is that of the STS endpoint that the token names. Empty means the region of the
	// environment, the profile or the instance, in this order, else us-east-1.
	Region string
	// Profile is a profile of the AWS configuration files. Empty means the environment's.
	Profile string
	// RoleARN is the ARN of a role to assume first. Empty means none.
	RoleARN string
	// ExternalID is the one that the role's trust policy requires. Empty means none.
	ExternalID string
	// SessionName is that of the assumed role. Empty means EKSGetTokenAuth.
	SessionName string
	// ForwardSessionName gives the assumed role the session name of the credentials.
	ForwardSessionName bool
	// MFAToken asks the user for the code of the profile's MFA device (mfa_serial).
	// Nil means that no user can be asked: a profile whose own role requires a code
	// fails, and RoleARN is assumed without a code.
	MFAToken func() (string, error)
	// ClockAhead is called at each answer of AWS with how far this machine's clock is ahead
	// of that of AWS. Most tokens need no call of AWS. Nil means never.
	ClockAhead func(time.Duration)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Token is a bearer token and its expiration.
type Token struct {
	// Token is a credential.
	Token string
	// Expiration is 14 minutes after the token was made, or the expiration of the
	// credentials if that is earlier.
	Expiration time.Time
}

// Presigner makes tokens.
type Presigner struct {
	config      Config
	credentials aws.CredentialsProvider
	endpoint    string
	region      string
	// profile is the profile that the credentials come from.
	profile config.SharedConfig
	// hint is a possible reason why the role cannot be assumed; empty if there is none.
	hint string
}

// New returns a presigner. It finds the region, for which it may ask the instance
// metadata service, but does not fetch credentials yet.
func New(ctx context.Context, c Config) (*Presigner, error) { return newPresigner(ctx, c, nil) }

// newPresigner returns a presigner that uses the sessions of a keeper, unless that is
// nil.
func newPresigner(ctx context.Context, c Config, k *keeper) (*Presigner, error) {
	if c.ClusterID == "" {
		return nil, errors.New("making a token: the cluster ID is missing")
	}
	if c.SessionName != "" && c.ForwardSessionName {
		return nil, errors.New("making a token: a session name and forwarding the session name are mutually exclusive")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	loaded, err := load(ctx, c, k)
	if err != nil {
		return nil, err
	}
	client := sts.NewFromConfig(loaded)
	// The token names AWS's own host even if the environment sets an endpoint,
	// because the server accepts no other.
	host, signer, err := stsEndpoint(client.Options())
	if err != nil {
		return nil, fmt.Errorf("finding the STS endpoint: %w", err)
	}
	p := &Presigner{config: c, credentials: loaded.Credentials, endpoint: "https://" + host + "/", region: signer, profile: profileOf(loaded)}
	if c.RoleARN != "" {
		if err := p.useRole(ctx, client, k); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func load(ctx context.Context, c Config, k *keeper) (aws.Config, error) {
	loaded, err := loadDefault(ctx,
		config.WithRegion(c.Region),
		config.WithSharedConfigProfile(c.Profile),
		config.WithAPIOptions([]func(*middleware.Stack) error{c.compareClocks}),
		config.WithEC2IMDSClientEnableState(imds.ClientDefaultEnableState),
		config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
			o.TokenProvider = c.mfaToken
			if k != nil {
				o.Duration = cmp.Or(o.Duration, keptSessionDuration)
			}
		}),
	)
	if _, missing := errors.AsType[config.SharedConfigProfileNotExistError](err); missing {
		return aws.Config{}, fmt.Errorf("loading the AWS configuration: %w (aws configure list-profiles lists the profiles)", err)
	}
	if err != nil {
		return aws.Config{}, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	if loaded.Region == "" {
		loaded.Region = cmp.Or(instanceRegion(ctx, loaded), defaultRegion)
	}
	if k != nil {
		loaded.Credentials = keptProvider{loaded.Credentials, k, k.baseKey()}
	}
	return loaded, nil
}

// loadDefault is config.LoadDefaultConfig, but returns once ctx is done: the SDK waits
// without end for a configuration file that is a FIFO.
func loadDefault(ctx context.Context, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	type result struct {
		loaded aws.Config
		err    error
	}
	loading := make(chan result, 1)
	go func() {
		stack.Grow12()
		loaded, err := config.LoadDefaultConfig(ctx, options...)
		loading <- result{loaded, err}
	}()
	select {
	case r := <-loading:
		return r.loaded, r.err
	case <-ctx.Done():
		return aws.Config{}, context.Cause(ctx)
	}
}

// profileOf returns the profile that was loaded; empty if there is none.
func profileOf(loaded aws.Config) config.SharedConfig {
	for _, source := range loaded.ConfigSources {
		if profile, ok := source.(config.SharedConfig); ok {
			return profile
		}
	}
	return config.SharedConfig{}
}

func (c Config) mfaToken() (string, error) {
	if c.MFAToken == nil {
		return "", errors.New("the profile requires an MFA code, and there is no terminal to ask for it")
	}
	return c.MFAToken()
}

// instanceRegion returns the region that the instance metadata service reports; empty
// if there is no such service.
func instanceRegion(ctx context.Context, loaded aws.Config) string {
	ctx, cancel := context.WithTimeout(ctx, imdsTimeout)
	defer cancel()
	client := imds.NewFromConfig(loaded, func(o *imds.Options) { o.Retryer = aws.NopRetryer{} })
	answer, err := client.GetRegion(ctx, &imds.GetRegionInput{})
	if err != nil {
		return ""
	}
	return answer.Region
}

// stsEndpoint returns the endpoint of a client: its region's, in the variant that
// AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT or the profile selects.
func stsEndpoint(client sts.Options) (host, signer string, err error) {
	return partition.STSEndpoint(client.Region, partition.Variant{
		FIPS:      client.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled,
		DualStack: client.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled,
	})
}

// useRole replaces the credentials with those of the role, which a keeper may have.
func (p *Presigner) useRole(ctx context.Context, client *sts.Client, k *keeper) error {
	if k == nil {
		return p.assumeRole(ctx, client, 0)
	}
	if session, ok := k.session(ctx, k.roleKey()); ok {
		p.credentials = credentials.StaticCredentialsProvider{Value: session}
		return nil
	}
	if err := p.assumeRole(ctx, client, keptSessionDuration); err != nil {
		return err
	}
	p.credentials = keptProvider{p.credentials, k, k.roleKey()}
	return nil
}

// assumeRole replaces the credentials with those of the role. A duration of 0 is the
// shortest.
func (p *Presigner) assumeRole(ctx context.Context, client *sts.Client, duration time.Duration) error {
	serial, err := p.mfaSerial(ctx)
	if err != nil {
		return err
	}
	name := cmp.Or(p.config.SessionName, defaultSessionName)
	if p.config.ForwardSessionName {
		if name, err = sessionName(ctx, client); err != nil {
			return err
		}
	}
	provider := stscreds.NewAssumeRoleProvider(client, p.config.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration = name, duration
		if p.config.ExternalID != "" {
			o.ExternalID = aws.String(p.config.ExternalID)
		}
		if serial != "" {
			o.SerialNumber, o.TokenProvider = aws.String(serial), p.config.MFAToken
		}
	})
	p.credentials = aws.NewCredentialsCache(provider)
	return nil
}

// mfaSerial returns the MFA device of the profile's user; empty if the credentials are
// not the profile's own key, or no user can be asked for a code.
func (p *Presigner) mfaSerial(ctx context.Context) (string, error) {
	if p.profile.MFASerial == "" || !p.profile.Credentials.HasKeys() {
		return "", nil
	}
	credentials, err := p.retrieve(ctx)
	if err != nil || credentials.AccessKeyID != p.profile.Credentials.AccessKeyID {
		return "", err
	}
	if p.config.MFAToken == nil {
		p.hint = "; the profile's mfa_serial was ignored, because there is no terminal to ask for its code"
		return "", nil
	}
	return p.profile.MFASerial, nil
}

// sessionName returns the session name of the client's credentials, from STS.
func sessionName(ctx context.Context, client *sts.Client) (string, error) {
	answer, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("finding the session name to forward: %w", err)
	}
	_, name, ok := strings.Cut(aws.ToString(answer.UserId), ":")
	if !ok {
		return "", fmt.Errorf("finding the session name to forward: %s has no session name", aws.ToString(answer.Arn))
	}
	return name, nil
}

func (p *Presigner) retrieve(ctx context.Context) (aws.Credentials, error) {
	credentials, err := p.credentials.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, p.explain(err)
	}
	return credentials, p.checkProcess(credentials)
}

// Token makes a token.
func (p *Presigner) Token(ctx context.Context) (Token, error) {
	credentials, err := p.retrieve(ctx)
	if err != nil {
		return Token{}, err
	}
	now := p.config.Now()
	signed, err := p.presign(ctx, credentials, now)
	if err != nil {
		return Token{}, err
	}
	expiration := now.Add(reportedLifetime)
	if credentials.CanExpire && credentials.Expires.Before(expiration) {
		expiration = credentials.Expires
	}
	return Token{token.Encode(signed), expiration.UTC()}, nil
}

// presign returns the presigned URL that a token contains.
func (p *Presigner) presign(ctx context.Context, credentials aws.Credentials, now time.Time) (string, error) {
	query := url.Values{
		"Action":        {"GetCallerIdentity"},
		"Version":       {"2011-06-15"},
		"X-Amz-Expires": {"60"}, // STS ignores it; old servers require it
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.endpoint+"?"+query.Encode(), nil)
	if err != nil {
		return "", fmt.Errorf("making the request to sign: %w", err)
	}
	request.Header.Set(token.ClusterIDHeader, p.config.ClusterID)
	empty := sha256.Sum256(nil)
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, credentials, request, hex.EncodeToString(empty[:]), "sts", p.region, now)
	if err != nil {
		return "", fmt.Errorf("signing the request: %w", err)
	}
	return signed, nil
}
