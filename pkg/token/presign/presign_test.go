package presign_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/presign"
)

// environment has AWS's own example credentials and nothing else.
func environment(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value) // so that it is restored
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	nowhere := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
}

func now() time.Time { return time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC) }

func makeToken(t *testing.T, config presign.Config) presign.Token {
	t.Helper()
	config.ClusterID, config.Now = "kubedemy", now
	p, err := presign.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	made, err := p.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestTokensKeepEveryRule parses what is made: in every partition, for every
// variant of its endpoints. The host is the one that AWS's own rules name.
func TestTokensKeepEveryRule(t *testing.T) {
	environment(t)
	for region, partition := range map[string]string{
		"eu-west-2": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b",
		"eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f", "eusc-de-east-1": "aws-eusc",
	} {
		for _, fips := range []bool{false, true} {
			for _, dualStack := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s fips=%v dualstack=%v", region, fips, dualStack), func(t *testing.T) {
					t.Setenv("AWS_USE_FIPS_ENDPOINT", strconv.FormatBool(fips))
					t.Setenv("AWS_USE_DUALSTACK_ENDPOINT", strconv.FormatBool(dualStack))
					made := makeToken(t, presign.Config{Region: region})
					request := parse(t, partition, made)
					if want := sdkHost(t, region, fips, dualStack); request.Host() != want {
						t.Errorf("the token names %s, want %s", request.Host(), want)
					}
					if request.Region() != region || request.AccessKeyID() != "AKIAIOSFODNN7EXAMPLE" || request.Time() != now() {
						t.Error(request)
					}
					if made.Expiration != now().Add(14*time.Minute) {
						t.Errorf("it expires at %s", made.Expiration)
					}
				})
			}
		}
	}
}

func parse(t *testing.T, partition string, made presign.Token) token.Request {
	t.Helper()
	hosts, err := token.NewHosts(partition)
	if err != nil {
		t.Fatal(err)
	}
	request, err := token.Parse(made.Token, hosts, now())
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// sdkHost is the host that AWS's SDK calls.
func sdkHost(t *testing.T, region string, fips, dualStack bool) string {
	t.Helper()
	endpoint, err := sts.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), sts.EndpointParameters{
		Region: aws.String(region), UseFIPS: aws.Bool(fips), UseDualStack: aws.Bool(dualStack), UseGlobalEndpoint: aws.Bool(false),
	})
	if err != nil {
		t.Fatal(err)
	}
	return endpoint.URI.Host
}

// TestWhatIsSigned is the form that `aws eks get-token` has too.
func TestWhatIsSigned(t *testing.T) {
	environment(t)
	made := makeToken(t, presign.Config{Region: "eu-west-2"})
	request := parse(t, "aws", made)
	parsed, err := url.Parse(request.URL())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Amz-Expires": "60", "X-Amz-SignedHeaders": "host;x-k8s-aws-id", "X-Amz-Date": "20261123T082457Z",
		"X-Amz-Credential": "AKIAIOSFODNN7EXAMPLE/20261123/eu-west-2/sts/aws4_request",
	} {
		if got := parsed.Query().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if again := makeToken(t, presign.Config{Region: "eu-west-2"}); again.Token != made.Token {
		t.Error("the same request is signed in two ways")
	}
}

// TestTokenNamesAWS whatever endpoint the environment names.
func TestTokenNamesAWS(t *testing.T) {
	environment(t)
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:4566")
	for name, test := range map[string]struct {
		set    map[string]string
		config presign.Config
		want   string
	}{
		"a flag":          {map[string]string{"AWS_REGION": "eu-west-1"}, presign.Config{Region: "eu-west-2"}, "sts.eu-west-2.amazonaws.com"},
		"the environment": {map[string]string{"AWS_REGION": "eu-west-1"}, presign.Config{}, "sts.eu-west-1.amazonaws.com"},
		"nothing":         {map[string]string{"AWS_REGION": ""}, presign.Config{}, "sts.us-east-1.amazonaws.com"},
	} {
		t.Run(name, func(t *testing.T) {
			for name, value := range test.set {
				t.Setenv(name, value)
			}
			if request := parse(t, "aws", makeToken(t, test.config)); request.Host() != test.want {
				t.Errorf("%v, want %s", request, test.want)
			}
		})
	}
}

// TestEndpoint compares with the endpoint that `aws eks get-token` of botocore 1.43
// uses with the same settings of the environment and the profile.
func TestEndpoint(t *testing.T) {
	environment(t)
	profiles := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(profiles, []byte(`[profile fips]
region = eu-west-2
use_fips_endpoint = true
[profile dual]
region = eu-west-2
use_dualstack_endpoint = true
[profile global]
region = aws-global
`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", profiles)
	for _, test := range []struct{ profile, region, fips, dualStack, host, signer string }{
		{region: "eu-west-2", fips: "TRUE", host: "sts-fips.eu-west-2.amazonaws.com", signer: "eu-west-2"},
		{region: "eu-west-2", dualStack: "true", host: "sts.eu-west-2.api.aws", signer: "eu-west-2"},
		{region: "aws-global", host: "sts.amazonaws.com", signer: "us-east-1"},
		{profile: "global", host: "sts.amazonaws.com", signer: "us-east-1"},
		{profile: "fips", host: "sts-fips.eu-west-2.amazonaws.com", signer: "eu-west-2"},
		{profile: "fips", fips: "false", host: "sts.eu-west-2.amazonaws.com", signer: "eu-west-2"},
		{profile: "fips", dualStack: "true", host: "sts-fips.eu-west-2.api.aws", signer: "eu-west-2"},
		{profile: "dual", host: "sts.eu-west-2.api.aws", signer: "eu-west-2"},
	} {
		t.Run(fmt.Sprintf("%+v", test), func(t *testing.T) {
			t.Setenv("AWS_PROFILE", test.profile)
			t.Setenv("AWS_REGION", test.region)
			t.Setenv("AWS_USE_FIPS_ENDPOINT", test.fips)
			t.Setenv("AWS_USE_DUALSTACK_ENDPOINT", test.dualStack)
			request := parse(t, "aws", makeToken(t, presign.Config{}))
			if request.Host() != test.host || request.Region() != test.signer {
				t.Errorf("%s signed for %s, want %s for %s", request.Host(), request.Region(), test.host, test.signer)
			}
		})
	}
}

func TestSessionEndsBeforeTheToken(t *testing.T) {
	environment(t)
	ends := time.Now().Add(5 * time.Minute).UTC().Truncate(time.Second)
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if r.Form.Get("RoleArn") != "arn:aws:iam::231144931069:role/x" || r.Form.Get("RoleSessionName") != "EKSGetTokenAuth" || r.Form.Get("ExternalId") != "42" {
			t.Errorf("asked for %v", r.Form)
		}
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token/+=</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, ends.Format(time.RFC3339))
	}))
	defer sts.Close()
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL) // for calls; the token still names AWS
	p, err := presign.New(t.Context(), presign.Config{ClusterID: "kubedemy", Region: "eu-west-2", RoleARN: "arn:aws:iam::231144931069:role/x", ExternalID: "42"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := p.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !made.Expiration.Equal(ends) {
		t.Errorf("it expires at %s, its session at %s", made.Expiration, ends)
	}
	hosts, err := token.NewHosts("aws")
	if err != nil {
		t.Fatal(err)
	}
	request, err := token.Parse(made.Token, hosts, time.Now())
	if err != nil || request.AccessKeyID() != "ASIAIOSFODNN7EXAMPLE" || request.Host() != "sts.eu-west-2.amazonaws.com" {
		t.Errorf("%v, %v", request, err)
	}
}

func TestNewRefuses(t *testing.T) {
	environment(t)
	for name, config := range map[string]presign.Config{
		"no cluster":        {Region: "eu-west-2"},
		"two session names": {ClusterID: "c", Region: "eu-west-2", SessionName: "x", ForwardSessionName: true},
		"no region of AWS":  {ClusterID: "c", Region: "Europe"},
		"no such profile":   {ClusterID: "c", Profile: "nobody"},
	} {
		if _, err := presign.New(t.Context(), config); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	_, err := presign.New(t.Context(), presign.Config{ClusterID: "c", Region: "aws-global"})
	if err == nil || !strings.Contains(err.Error(), "no FIPS and no dual-stack variant") {
		t.Errorf("FIPS on the global endpoint: %v", err)
	}
}

func BenchmarkToken(b *testing.B) {
	b.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	b.Setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	p, err := presign.New(b.Context(), presign.Config{ClusterID: "kubedemy", Region: "eu-west-2"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.Token(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
