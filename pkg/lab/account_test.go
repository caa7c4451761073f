package lab

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

func TestCheckAccount(t *testing.T) {
	t.Parallel()
	users := []User{{Name: "alice"}}
	roles := []Role{{Name: "Deployer", AssumedBy: []string{"alice"}}}
	for name, test := range map[string]struct {
		config Config
		fails  string
	}{
		"empty":                {Config{}, ""},
		"a user and a role":    {Config{Users: users, Roles: roles, Mappings: []Mapping{{User: "alice", Username: "a"}, {Role: "Deployer", Username: "d"}}}, ""},
		"a role of nobody":     {Config{Roles: []Role{{Name: "R"}}}, `role "R": AssumedBy is empty`},
		"a role of a stranger": {Config{Users: users, Roles: []Role{{Name: "R", AssumedBy: []string{"bob"}}}}, `role "R": AssumedBy names user "bob", which the lab does not have (users: ["alice"])`},
		"neither":              {Config{Mappings: []Mapping{{Username: "a"}}}, "mapping 1: expected either a User or a Role"},
		"both":                 {Config{Users: users, Roles: roles, Mappings: []Mapping{{User: "alice", Role: "Deployer", Username: "a"}}}, "expected either"},
		"an unknown user":      {Config{Users: users, Mappings: []Mapping{{User: "alice", Username: "a"}, {User: "bob", Username: "b"}}}, `mapping 2: the lab does not have user "bob"`},
		"an unknown role":      {Config{Mappings: []Mapping{{Role: "R", Username: "b"}}}, `the lab does not have role "R"`},
		"no username":          {Config{Users: users, Mappings: []Mapping{{User: "alice"}}}, "mapping 1: Username is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.config.checkAccount()
			if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("checkAccount = %v, want %q", err, test.fails)
			}
		})
	}
}

func TestAWSAuth(t *testing.T) {
	t.Parallel()
	got, err := Config{Mappings: []Mapping{
		{User: "alice", Username: "alice", Groups: []string{"developers", "testers"}},
		{Role: "Deployer", Username: "deployer:{{SessionName}}"},
	}}.awsAuth()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"mapRoles": NodesMapping() + "- rolearn: arn:aws:iam::231144931069:role/Deployer\n  username: deployer:{{SessionName}}\n",
		"mapUsers": "- groups:\n  - developers\n  - testers\n  userarn: arn:aws:iam::231144931069:user/alice\n  username: alice\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("awsAuth (-want +got):\n%s", diff)
	}
}

// TestCallers checks that the files of a caller are those of its identity, in local AWS.
func TestCallers(t *testing.T) {
	l := localAWS(t)
	l.config.Users = []User{{Name: "alice", Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:ListClusters","Resource":"*"}]}`}, {Name: "bob"}}
	l.config.Roles = []Role{{Name: "Deployer", AssumedBy: []string{"bob", "alice"}}}
	client, err := l.info.IAM()
	if err != nil {
		t.Fatal(err)
	}
	l.admin = &rest.Config{Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("a CA"), CertData: []byte("a certificate"), KeyData: []byte("a key")}}
	l.info.Endpoint, l.info.Authenticator = "https://127.0.0.1:1", "/bin/authenticator"
	if err := l.createAccount(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if err := l.writeCallers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if policy, err := client.GetUserPolicy(t.Context(), &iam.GetUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String(policyName)}); err != nil {
		t.Error(err)
	} else if text, _ := url.QueryUnescape(*policy.PolicyDocument); text != l.config.Users[0].Policy {
		t.Errorf("the policy of alice is %s", text)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "of the machine")
	for want, find := range map[string]func() (*Caller, error){
		"arn:aws:iam::231144931069:user/alice":                func() (*Caller, error) { return l.User("alice") },
		"arn:aws:sts::231144931069:assumed-role/Deployer/bob": func() (*Caller, error) { return l.Role("Deployer") },
	} {
		caller, err := find()
		if err != nil {
			t.Fatal(err)
		}
		if got := identityOf(t, l, caller); got != want {
			t.Errorf("the files of %s are those of %s, want %s", caller.ARN, got, want)
		}
		kubeconfig, err := clientcmd.LoadFromFile(caller.Kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		plugin := map[string]string{}
		for _, variable := range kubeconfig.AuthInfos[ClusterName].Exec.Env {
			plugin[variable.Name] = variable.Value
		}
		environ := caller.Environ([]string{"AWS_ACCESS_KEY_ID=of the machine", "PATH=/bin"})
		for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "HTTPS_PROXY"} {
			if value := lookup(environ, name); value == "" || plugin[name] != value {
				t.Errorf("%s is %q in the kubeconfig and %q in the environment", name, plugin[name], value)
			}
		}
		if value, ok := plugin["AWS_ACCESS_KEY_ID"]; !ok || value != "" || lookup(environ, "AWS_ACCESS_KEY_ID") != "" {
			t.Errorf("the machine's key is not hidden: %q, %q", plugin["AWS_ACCESS_KEY_ID"], environ)
		}
		if got := lookup(environ, "KUBECONFIG"); got != caller.Kubeconfig {
			t.Errorf("KUBECONFIG is %s, want %s", got, caller.Kubeconfig)
		}
	}
	admin, err := l.Administrator()
	if err != nil {
		t.Fatal(err)
	}
	if profile, file := lookup(admin.Environ(nil), "AWS_PROFILE"), lookup(admin.Environ(nil), "KUBECONFIG"); profile != "admin" || file != admin.Kubeconfig {
		t.Errorf("the administrator has profile %q and kubeconfig %s, want admin and %s", profile, file, admin.Kubeconfig)
	}
	if rest, err := admin.REST(); err != nil || string(rest.CertData) != "a certificate" || rest.Host != l.admin.Host {
		t.Errorf("the administrator's kubeconfig is for %+v, %v", rest, err)
	}
	for _, err := range []error{second(l.User("Deployer")), second(l.Role("alice"))} {
		if err == nil || !strings.Contains(err.Error(), "unknown ") {
			t.Errorf("a caller that the lab does not have: %v", err)
		}
	}
}

func second(_ *Caller, err error) error { return err }

// identityOf returns the ARN that STS reports to a program with a caller's files.
func identityOf(t *testing.T, l *Lab, caller *Caller) string {
	t.Helper()
	admin, err := l.info.administrator()
	if err != nil {
		t.Fatal(err)
	}
	proxied, err := l.info.sdk(admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_CA_BUNDLE", "")
	configuration, err := config.LoadDefaultConfig(context.WithoutCancel(t.Context()),
		config.WithSharedConfigFiles([]string{caller.aws.Set["AWS_CONFIG_FILE"]}),
		config.WithSharedCredentialsFiles([]string{caller.aws.Set["AWS_SHARED_CREDENTIALS_FILE"]}),
		config.WithHTTPClient(proxied.HTTPClient))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := sts.NewFromConfig(configuration).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(answer.Arn)
}
