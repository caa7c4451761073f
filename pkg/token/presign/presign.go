// Package presign makes tokens: the client's half of pkg/token.
//
// Credentials come from where every AWS tool finds them: the environment,
// profiles, SSO, a process, web identity, the instance metadata service. A
// token takes no network call, unless a role is assumed or the credentials have
// to be fetched.
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
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/partition"
	"github.com/kube-iam/authenticator/pkg/token"
)

const (
	// reportedLifetime is a minute less than a token lives, so that kubectl has
	// a new one made before the old one ends.
	reportedLifetime = token.Lifetime - time.Minute
	// defaultSessionName is what `aws eks get-token --role-arn` calls its session.
	defaultSessionName = "EKSGetTokenAuth"
	// imdsTimeout is short: on a laptop nobody answers.
	imdsTimeout   = time.Second
	defaultRegion = "us-east-1"
)

// Config of [New]. ClusterID must be set.
type Config struct {
	// ClusterID of the cluster that the token is for, and for no other.
	ClusterID string
	// Region whose STS endpoint the token names. Empty means that of the
	// environment, the profile or the instance, or else us-east-1.
	Region string
	// Profile of the AWS configuration files. Empty means the environment's.
	Profile string
	// RoleARN is a role to assume first. Empty means none.
	RoleARN string
	// ExternalID that the role's trust policy asks for. Empty means none.
	ExternalID string
	// SessionName of the assumed role. Empty means EKSGetTokenAuth.
	SessionName string
	// ForwardSessionName gives the assumed role the session name that the
	// credentials have already.
	ForwardSessionName bool
	// MFAToken asks for the code of the profile's MFA device (mfa_serial). Nil
	// means that there is nobody to ask: a profile whose own role wants a code
	// fails, and RoleARN is assumed without one.
	MFAToken func() (string, error)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Token is a bearer token and when it should be made anew.
type Token struct {
	// Token is a credential.
	Token string
	// Expiration is 14 minutes after the token was made, or when the credentials
	// end, if that is sooner.
	Expiration time.Time
}

// Presigner makes tokens.
type Presigner struct {
	config      Config
	credentials aws.CredentialsProvider
	endpoint    string
	region      string
	// hint of why a role may not be assumed; empty if there is nothing to say.
	hint string
}

// New makes a presigner. It finds the region, which may ask the instance
// metadata service, but fetches no credentials yet.
func New(ctx context.Context, c Config) (*Presigner, error) {
	if c.ClusterID == "" {
		return nil, errors.New("making a token: no cluster ID is given")
	}
	if c.SessionName != "" && c.ForwardSessionName {
		return nil, errors.New("making a token: a session name and forwarding the session name exclude each other")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	loaded, err := load(ctx, c)
	if err != nil {
		return nil, err
	}
	client := sts.NewFromConfig(loaded)
	// The token names AWS's own host, whatever endpoint the environment names
	// for calls: the server accepts no other.
	host, signer, err := stsEndpoint(client.Options())
	if err != nil {
		return nil, fmt.Errorf("finding the STS endpoint: %w", err)
	}
	p := &Presigner{config: c, credentials: loaded.Credentials, endpoint: "https://" + host + "/", region: signer}
	if c.RoleARN != "" {
		if err := p.assumeRole(ctx, client, loaded); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func load(ctx context.Context, c Config) (aws.Config, error) {
	loaded, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(c.Region),
		config.WithSharedConfigProfile(c.Profile),
		config.WithEC2IMDSClientEnableState(imds.ClientDefaultEnableState),
		config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) { o.TokenProvider = c.mfaToken }),
	)
	if err != nil {
		return aws.Config{}, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	if loaded.Region == "" {
		loaded.Region = cmp.Or(instanceRegion(ctx, loaded), defaultRegion)
	}
	return loaded, nil
}

func (c Config) mfaToken() (string, error) {
	if c.MFAToken == nil {
		return "", errors.New("the profile wants an MFA code, and there is no terminal to ask for it")
	}
	return c.MFAToken()
}

// instanceRegion asks the instance metadata service; empty if there is none.
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

// stsEndpoint is the one that a client uses: its region's, in the variant that
// AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT, or the profile, ask for.
func stsEndpoint(client sts.Options) (host, signer string, err error) {
	return partition.STSEndpoint(client.Region, partition.Variant{
		FIPS:      client.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled,
		DualStack: client.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled,
	})
}

// assumeRole makes the credentials those of the role.
func (p *Presigner) assumeRole(ctx context.Context, client *sts.Client, loaded aws.Config) error {
	serial, err := p.mfaSerial(ctx, loaded)
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
		o.RoleSessionName = name
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

// mfaSerial is the MFA device of the profile's user; empty if the credentials are
// not the profile's own key, or there is nobody to ask for a code.
func (p *Presigner) mfaSerial(ctx context.Context, loaded aws.Config) (string, error) {
	for _, source := range loaded.ConfigSources {
		profile, ok := source.(config.SharedConfig)
		if !ok || profile.MFASerial == "" || !profile.Credentials.HasKeys() {
			continue
		}
		credentials, err := p.retrieve(ctx)
		if err != nil || credentials.AccessKeyID != profile.Credentials.AccessKeyID {
			return "", err
		}
		if p.config.MFAToken == nil {
			p.hint = "; the profile's mfa_serial was left out, since there is no terminal to ask for its code"
			return "", nil
		}
		return profile.MFASerial, nil
	}
	return "", nil
}

// sessionName asks STS for the session name of the credentials there are.
func sessionName(ctx context.Context, client *sts.Client) (string, error) {
	answer, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("finding the session name to forward: %w", err)
	}
	_, name, ok := strings.Cut(aws.ToString(answer.UserId), ":")
	if !ok {
		return "", fmt.Errorf("finding the session name to forward: %s has none", aws.ToString(answer.Arn))
	}
	return name, nil
}

func (p *Presigner) retrieve(ctx context.Context) (aws.Credentials, error) {
	credentials, err := p.credentials.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("getting AWS credentials (try aws sts get-caller-identity): %w%s", err, p.hint)
	}
	return credentials, nil
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

// presign signs the one request that a token is.
func (p *Presigner) presign(ctx context.Context, credentials aws.Credentials, now time.Time) (string, error) {
	query := url.Values{
		"Action":        {"GetCallerIdentity"},
		"Version":       {"2011-06-15"},
		"X-Amz-Expires": {"60"}, // STS takes no notice; old servers want it
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
