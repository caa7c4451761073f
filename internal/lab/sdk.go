package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// IAM is a client of the lab's IAM with the administrator's rights.
func (i Info) IAM(ctx context.Context) (*iam.Client, error) {
	admin, err := i.files().Administrator()
	if err != nil {
		return nil, err
	}
	configuration, err := i.sdk(ctx, admin)
	if err != nil {
		return nil, err
	}
	return iam.NewFromConfig(configuration), nil
}

// eksAs is a client of the lab's EKS with somebody's key.
func (i Info) eksAs(ctx context.Context, key accessKey) (*eks.Client, error) {
	configuration, err := i.sdk(ctx, localaws.AccessKey{ID: key.ID, Secret: key.Secret})
	if err != nil {
		return nil, err
	}
	return eks.NewFromConfig(configuration), nil
}

// sdk is a configuration of the AWS SDK that asks neither the environment nor
// the user's files, but goes through the lab's proxy.
func (i Info) sdk(ctx context.Context, key localaws.AccessKey) (aws.Config, error) {
	proxy, err := url.Parse(i.AWS)
	if err != nil {
		return aws.Config{}, fmt.Errorf("finding local AWS: %w", err)
	}
	ca, err := os.ReadFile(i.files().CA())
	if err != nil {
		return aws.Config{}, fmt.Errorf("reading local AWS's CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return aws.Config{}, errors.New("reading local AWS's CA: no certificate in it")
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		transport.Proxy = http.ProxyURL(proxy)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		transport.DisableKeepAlives = true // nothing to close
	})
	configuration, err := config.LoadDefaultConfig(ctx,
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}),
		config.WithRegion(Region), config.WithHTTPClient(client),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(key.ID, key.Secret, "")),
	)
	if err != nil {
		return aws.Config{}, fmt.Errorf("configuring the AWS SDK: %w", err)
	}
	return configuration, nil
}
