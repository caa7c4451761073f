package lab

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// IAM returns a client of the lab's IAM with administrator rights.
func (i Info) IAM() (*iam.Client, error) {
	admin, err := i.administrator()
	if err != nil {
		return nil, err
	}
	configuration, err := i.sdk(admin)
	if err != nil {
		return nil, err
	}
	return iam.NewFromConfig(configuration), nil
}

// eksAs returns a client of the lab's EKS that uses the given access key.
func (i Info) eksAs(key accessKey) (*eks.Client, error) {
	configuration, err := i.sdk(localaws.AccessKey{ID: key.ID, Secret: key.Secret})
	if err != nil {
		return nil, err
	}
	return eks.NewFromConfig(configuration), nil
}

// sdk returns a configuration of the AWS SDK that uses the lab's proxy. It does not
// load the SDK's default one, which would read the user's environment and files.
func (i Info) sdk(key localaws.AccessKey) (aws.Config, error) {
	proxy, err := url.Parse(i.AWS)
	if err != nil {
		return aws.Config{}, fmt.Errorf("finding local AWS: %w", err)
	}
	ca, err := i.readCA()
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
	return aws.Config{
		Region:      Region,
		HTTPClient:  client,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
	}, nil
}

func (i Info) readCA() ([]byte, error) {
	dir, err := i.open()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.ReadFile(awsDir + "/ca.pem")
}
