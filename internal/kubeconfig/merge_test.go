package kubeconfig_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kube-iam/authenticator/internal/kubeconfig"
)

func entry() kubeconfig.Entry {
	return kubeconfig.Entry{
		Context: "prod", ClusterName: "c", UserName: "me",
		Cluster: kubeconfig.Cluster{Server: "https://10.0.0.1:6443", CAData: "Y2E="},
		User:    kubeconfig.User{Exec: kubeconfig.Exec{APIVersion: "client.authentication.k8s.io/v1", Command: "authenticator", Args: []string{"token"}, InteractiveMode: "IfAvailable"}},
	}
}

const merged = `apiVersion: v1
kind: Config
clusters:
- name: c
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority-data: Y2E=
contexts:
- name: prod
  context:
    cluster: c
    user: me
users:
- name: me
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: authenticator
      args:
      - token
      interactiveMode: IfAvailable
      provideClusterInfo: false
current-context: prod
`

func TestMerge(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"nothing":        {"", merged},
		"a null":         {"null\n", merged},
		"a last comment": {merged + "\n# the end\n", merged + "\n# the end\n"},
		"null lists": {
			"apiVersion: v1\nkind: Config\nclusters: null\ncontexts: []\nusers:\n", merged,
		},
		"itself": {merged, merged},
		"others": {
			`# Mine.
apiVersion: v1
clusters:
- cluster: {server: "https://other"} # the old one
  name: other
- name: c
  cluster:
    insecure-skip-tls-verify: true
    server: https://old
contexts:
# I work here.
- context:
    cluster: c
    namespace: web # not default
    user: old
  name: prod
current-context: other
kind: Config
preferences: {}
x-mine: [1, 2]
users: []
`,
			`# Mine.
apiVersion: v1
clusters:
- cluster: {server: "https://other"} # the old one
  name: other
- name: c
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority-data: Y2E=
contexts:
# I work here.
- context:
    cluster: c
    namespace: web # not default
    user: me
  name: prod
current-context: prod
kind: Config
preferences: {}
x-mine: [1, 2]
users:
- name: me
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: authenticator
      args:
      - token
      interactiveMode: IfAvailable
      provideClusterInfo: false
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, added, err := kubeconfig.Merge([]byte(test.text), entry())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(text)); diff != "" {
				t.Error(diff)
			}
			if want := !strings.Contains(test.text, "name: prod"); added != want {
				t.Errorf("added is %v, want %v", added, want)
			}
			config, err := clientcmd.Load(text) // as kubectl reads it
			if err != nil {
				t.Fatal(err)
			}
			if c, u := config.Clusters["c"], config.AuthInfos["me"]; c == nil || c.Server != "https://10.0.0.1:6443" || c.InsecureSkipTLSVerify || u == nil || u.Exec == nil || u.Exec.Command != "authenticator" {
				t.Errorf("kubectl reads %+v, %+v", c, u)
			}
		})
	}
}

func TestMergeJSON(t *testing.T) {
	t.Parallel()
	text, _, err := kubeconfig.Merge([]byte(`{"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "o", "cluster": {"server": "https://o"}}]}`), entry())
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.Load(text)
	if err != nil || config.Clusters["o"] == nil || config.Clusters["c"] == nil || config.CurrentContext != "prod" {
		t.Errorf("%v: %s", err, text)
	}
}

func TestMergeRejects(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"- a":                  "is not a mapping",
		"a: 1\n---\nb: 2":      "more than one YAML document",
		"clusters: {a: b}":     "line 1: clusters is not a list",
		"a: [":                 "yaml:",
		"users: &u []\nx: *u":  "",
		"clusters: &c\nx: *c ": "would not parse",
		"users:\n- name: me\n  user: {client-certificate-data: eA==, client-key-data: eA==, token: t}":          `user "me" has other credentials, which would be lost: client-key-data, token (name another user with --user-alias)`,
		"users:\n- name: me\n  user: {auth-provider: {name: oidc}}":                                             "auth-provider",
		"users:\n- name: me\n  user: {client-certificate-data: eA==, client-key: admin.key}":                    "client-certificate-data",
		"users:\n- name: me\n  user: {token: null, client-key-data: ~, auth-provider:}":                         "",
		"users:\n- {name: me, user: {token: \"\", client-key: admin.key}}\n- {name: admin, user: {token: t}}\n": "",
	} {
		_, _, err := kubeconfig.Merge([]byte(text), entry())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "new", "config"), filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	edit := func(path string) error {
		return kubeconfig.Edit(t.Context(), path, func(text []byte) ([]byte, error) { return append(text, "x\n"...), nil })
	}
	for _, name := range []string{path, path, link} {
		if err := edit(name); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "x\nx\nx\n" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if err := errors.Join(os.Chmod(path, 0o640), edit(path)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left: %s", left)
	}
	refused := errors.New("refused")
	if err := kubeconfig.Edit(t.Context(), path, func([]byte) ([]byte, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
}

// TestEditWaitsForKubectl holds kubectl's lock.
func TestEditWaitsForKubectl(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path+".lock", nil, 0); err != nil {
		t.Fatal(err)
	}
	edit := func(ctx context.Context) error {
		return kubeconfig.Edit(ctx, path, func([]byte) ([]byte, error) { return []byte("edited"), nil })
	}
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		if err := edit(t.Context()); err == nil || !strings.Contains(err.Error(), "config.lock has existed for 5s (remove it if no kubectl is running)") {
			t.Error(err)
		}
		if waited := time.Since(started); waited != 5*time.Second {
			t.Errorf("waited %s", waited)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("it was written without the lock")
		}
		time.AfterFunc(time.Second, func() { _ = os.Remove(path + ".lock") })
		if err := edit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestSharing checks that only a change of the user is one, not another way to write it.
func TestSharing(t *testing.T) {
	t.Parallel()
	const byKubectl = `users:
- name: me
  user:
    exec:
      # Mine.
      apiVersion: client.authentication.k8s.io/v1
      args: ["token"]
      command: authenticator
      env: null
      interactiveMode: IfAvailable
      provideClusterInfo: false
contexts:
- {name: prod, context: {cluster: c, user: me}}
- {name: test, context: {cluster: c, user: me}}
- {name: other, context: {cluster: c, user: other}}
`
	for text, want := range map[string][]string{
		byKubectl: nil,
		strings.Replace(byKubectl, `["token"]`, `["token", "--cache"]`, 1):   {"test"},
		strings.Replace(byKubectl, "env: null", "env: [{name: a}]", 1):       {"test"},
		strings.Replace(byKubectl, "    exec:", "    as: x\n    exec:", 1):   {"test"},
		strings.Replace(byKubectl, "- name: me", "- name: somebody else", 1): nil,
		"": nil,
	} {
		if diff := cmp.Diff(want, kubeconfig.Sharing([]byte(text), entry())); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}
