package presign_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// TestTokensKeepEveryRule parses what is made, in every partition.
func TestTokensKeepEveryRule(t *testing.T) {
	environment(t)
	for region, partition := range map[string]string{
		"eu-west-2": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b",
		"eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f", "eusc-de-east-1": "aws-eusc",
	} {
		hosts, err := token.NewHosts(partition)
		if err != nil {
			t.Fatal(err)
		}
		made := makeToken(t, presign.Config{Region: region})
		request, err := token.Parse(made.Token, hosts, now())
		if err != nil {
			t.Fatalf("%s: %v", region, err)
		}
		if request.Region() != region || request.AccessKeyID() != "AKIAIOSFODNN7EXAMPLE" || request.Time() != now() {
			t.Errorf("%s: %v", region, request)
		}
		if made.Expiration != now().Add(14*time.Minute) {
			t.Errorf("%s: it expires at %s", region, made.Expiration)
		}
	}
}

// TestWhatIsSigned is the form that `aws eks get-token` has too.
func TestWhatIsSigned(t *testing.T) {
	environment(t)
	made := makeToken(t, presign.Config{Region: "eu-west-2"})
	hosts, err := token.NewHosts("aws")
	if err != nil {
		t.Fatal(err)
	}
	request, err := token.Parse(made.Token, hosts, now())
	if err != nil {
		t.Fatal(err)
	}
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
			hosts, err := token.NewHosts("aws")
			if err != nil {
				t.Fatal(err)
			}
			request, err := token.Parse(makeToken(t, test.config).Token, hosts, now())
			if err != nil || request.Host() != test.want {
				t.Errorf("%v, %v; want %s", request, err, test.want)
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
