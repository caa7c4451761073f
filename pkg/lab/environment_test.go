package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

func testInfo() Info {
	return Info{Dir: "/the lab/it's", AWS: "http://127.0.0.1:4566", Kubeconfig: "/the lab/it's/kubeconfig", Assets: "/the lab/k8s"}
}

func TestWithFirst(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ path, want string }{
		{"/usr/bin:/bin", "/k8s:/usr/bin:/bin"},
		{"/k8s:/usr/bin", "/k8s:/usr/bin"},
		{"/k8s", "/k8s"},
		{"/usr/bin:/k8s", "/k8s:/usr/bin:/k8s"},
		{"/k8s2:/usr/bin", "/k8s:/k8s2:/usr/bin"},
		{"", "/k8s"}, // "/k8s:" would include the current directory
	} {
		if got := withFirst(test.path, "/k8s"); got != test.want {
			t.Errorf("withFirst(%q) = %q, want %q", test.path, got, test.want)
		}
	}
}

func TestEnviron(t *testing.T) {
	t.Parallel()
	environ := testInfo().Environ([]string{
		"HOME=/home/me", "PATH=/usr/bin", "KUBECONFIG=/home/me/.kube/config", "KUBECACHEDIR=/home/me/.kube/cache",
		"AWS_PROFILE=work", "AWS_ACCESS_KEY_ID=AKIAREAL", "AWS_ENDPOINT_URL_EKS=https://elsewhere.example", "HTTPS_PROXY=http://corporate.example", "NO_PROXY=*",
	})
	for name, want := range map[string]string{
		"HOME":                        "/home/me",
		"PATH":                        "/the lab/k8s:/usr/bin",
		"KUBECONFIG":                  "/the lab/it's/kubeconfig",
		"KUBECACHEDIR":                "/the lab/it's/kube-cache",
		"HTTPS_PROXY":                 "http://127.0.0.1:4566",
		"AWS_REGION":                  Region,
		"AWS_SHARED_CREDENTIALS_FILE": "/the lab/it's/aws/credentials",
		"AWS_CONFIG_FILE":             "/the lab/it's/aws/config",
		"AWS_CA_BUNDLE":               "/the lab/it's/aws/ca.pem",
		"AWS_PROFILE":                 "",
		"AWS_ACCESS_KEY_ID":           "",
		"AWS_ENDPOINT_URL_EKS":        "",
		"NO_PROXY":                    "localhost,127.0.0.1,::1",
		"SSL_CERT_FILE":               "/the lab/it's/aws/ca-bundle.pem",
		"LOCALAWS_DIR":                "/the lab/it's/aws",
		"LAB_DIR":                     "/the lab/it's",
	} {
		if got := lookup(environ, name); got != want {
			t.Errorf("%s=%s, want %q", name, got, want)
		}
	}
}

// TestShellTwice checks that a shell can evaluate the output of `lab env` twice.
func TestShellTwice(t *testing.T) {
	t.Parallel()
	shell := exec.Command("sh", "-c", `eval "$1"; eval "$2"; printf '%s\n' "$PATH" "$KUBECONFIG" "${AWS_PROFILE-unset}"`, "sh",
		testInfo().Shell([]string{"PATH=" + os.Getenv("PATH")}),
		testInfo().Shell([]string{"PATH=/the lab/k8s:" + os.Getenv("PATH")}))
	shell.Env = append(os.Environ(), "AWS_PROFILE=work", "KUBECONFIG=/home/me/.kube/config")
	output, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "/the lab/k8s:" + os.Getenv("PATH") + "\n/the lab/it's/kubeconfig\nunset\n"; string(output) != want {
		t.Errorf("the shell has %q, want %q", output, want)
	}
}

// TestLeave checks that a shell which leaves has none of the lab's variables, and the
// PATH that it had before.
func TestLeave(t *testing.T) {
	t.Parallel()
	before := []string{"PATH=" + os.Getenv("PATH"), "HOME=/home/me"}
	in := testInfo().Environ(before)
	shell := exec.Command("sh", "-c", `eval "$1"; unset PWD OLDPWD SHLVL _; /usr/bin/env`, "sh", testInfo().Leave(in))
	shell.Env = in
	output, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := slices.DeleteFunc(strings.Fields(string(output)), func(variable string) bool {
		return strings.HasPrefix(variable, "PWD=") || strings.HasPrefix(variable, "_=")
	})
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(before))) {
		t.Errorf("the shell has %q, want %q", got, before)
	}
	if text := (Info{Dir: "/the lab"}).Leave(in); strings.Contains(text, "PATH=") || !strings.Contains(text, "LAB_DIR") {
		t.Errorf("a lab that is down: %s", text)
	}
}

// TestLocalAWSIgnoresEnvironment checks that a lab comes up whatever the user has set
// for the real AWS, or a shell still has set for a lab that is down.
func TestLocalAWSIgnoresEnvironment(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "config")
	write(t, elsewhere, "[profile other]\nregion = us-east-1\n")
	for name, value := range map[string]string{
		"AWS_PROFILE": "work", "AWS_CONFIG_FILE": elsewhere, "AWS_SHARED_CREDENTIALS_FILE": elsewhere,
		"AWS_CA_BUNDLE": "/no/such/ca.pem", "AWS_REGION": "us-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
		"AWS_ENDPOINT_URL_IAM": "http://127.0.0.1:9", "AWS_USE_FIPS_ENDPOINT": "true", "AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "real",
		"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "*",
	} {
		t.Setenv(name, value)
	}
	l := localAWS(t)
	if want := "arn:aws:iam::" + Account + ":role/" + OwnerRole; l.info.OwnerARN != want {
		t.Errorf("the owner is %q, want %q", l.info.OwnerARN, want)
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"} {
		want := map[string]string{"AWS_CA_BUNDLE": l.path("aws", "ca.pem")}[name]
		if got := lookup(l.authenticatorEnvironment(), name); got != want {
			t.Errorf("the authenticator has %s=%s, want %q", name, got, want)
		}
	}
	if got, want := lookup(l.authenticatorEnvironment(), "AWS_SHARED_CREDENTIALS_FILE"), l.path("authenticator", "aws-credentials"); got != want {
		t.Errorf("the authenticator's credentials are in %s, want %s", got, want)
	}
}

// localAWS returns a lab with nothing but the local AWS.
func localAWS(t *testing.T) *Lab {
	t.Helper()
	dir := privatetest.Path(t)
	l := &Lab{config: Config{Listen: "127.0.0.1:0"}, dir: privatetest.Open(t, dir), info: Info{Dir: dir}}
	t.Cleanup(func() {
		if l.aws == nil {
			return
		}
		if err := l.aws.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := l.startAWS(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestListenOnLoopback(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ address, refused string }{
		{"127.0.0.1:0", ""},
		{"localhost:0", ""},
		{"0.0.0.0:0", "listening on 0.0.0.0:0: other machines can connect to it (--listen requires a loopback address)"},
		{":0", "other machines can connect to it"},
		{"4566", "listening on 4566 (--listen names another address): "},
	} {
		listener, err := listenOnLoopback(test.address)
		if err == nil {
			_ = listener.Close()
		}
		if (err != nil) != (test.refused != "") || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("listenOnLoopback(%q) = %v, want %q", test.address, err, test.refused)
		}
	}
	taken, err := listenOnLoopback("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if _, err := listenOnLoopback(taken.Addr().String()); err == nil || !strings.Contains(err.Error(), taken.Addr().String()+" (--listen names another address)") {
		t.Errorf("listening on an address in use: %v", err)
	}
}
