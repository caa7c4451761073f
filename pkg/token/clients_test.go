package token_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/kube-iam/authenticator/pkg/token"
)

// TestEndpointOfBotocore is what `aws eks get-token` of botocore 1.43 signs with
// AWS_ENDPOINT_URL set to http://127.0.0.1:4566, with and without a trailing slash.
func TestEndpointOfBotocore(t *testing.T) {
	const url = "http://127.0.0.1:4566/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261124%2Feu-west-2%2Fsts%2Faws4_request&X-Amz-Date=20261124T215848Z&X-Amz-Expires=60" +
		"&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=9b6bd456560696089dff7e860d1054da6639c5644360c998e923915170dd52c0"
	request, err := token.Parse(token.Encode(url), withEndpoint(t, "http://127.0.0.1:4566"), time.Date(2026, 11, 24, 21, 59, 0, 0, time.UTC))
	if err != nil || request.URL() != url || request.Region() != "eu-west-2" {
		t.Errorf("%v, %v", request, err)
	}
}

// TestEndpointOfTheSDK is what programs of aws-sdk-go-v2 sign.
func TestEndpointOfTheSDK(t *testing.T) {
	for given, trusted := range map[string]string{
		"http://127.0.0.1:4566":     "http://127.0.0.1:4566",
		"http://127.0.0.1:4566/":    "http://127.0.0.1:4566",
		"http://[::1]:4566":         "http://[::1]:4566",
		"https://sts.lab.example":   "https://sts.lab.example",
		"https://sts.lab.example/":  "https://sts.lab.example",
		"https://sts.lab.example:8": "https://sts.lab.example:8",
	} {
		t.Run(given, func(t *testing.T) {
			client := sts.New(sts.Options{
				Region: "eu-west-2", BaseEndpoint: aws.String(given),
				Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", "session/+="),
			})
			signed, err := sts.NewPresignClient(client).PresignGetCallerIdentity(t.Context(), nil, func(o *sts.PresignOptions) {
				o.ClientOptions = append(o.ClientOptions, sts.WithAPIOptions(
					smithyhttp.SetHeaderValue(token.ClusterIDHeader, "kubedemy"), smithyhttp.SetHeaderValue("X-Amz-Expires", "60")))
			})
			if err != nil {
				t.Fatal(err)
			}
			request, err := token.Parse(token.Encode(signed.URL), withEndpoint(t, trusted), time.Now())
			if err != nil || request.Region() != "eu-west-2" || request.AccessKeyID() != "AKIAIOSFODNN7EXAMPLE" {
				t.Errorf("%v, %v: %s", request, err, signed.URL)
			}
		})
	}
}
