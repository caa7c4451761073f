package kubeconfig

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

const (
	file          = "kubeconfig"
	administrator = "administrator"
	cluster       = "arn:aws:eks:eu-west-2:231144931069:cluster/kubedemy"
)

func writeFirst(t *testing.T, dir *private.Dir) {
	t.Helper()
	if err := Write(dir, file, administrator, &api.Cluster{Server: "https://127.0.0.1:1"}, &api.AuthInfo{ClientKeyData: []byte("key")}); err != nil {
		t.Fatal(err)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	dir := privatetest.Open(t, privatetest.Path(t))
	path := dir.Path(file)
	writeFirst(t, dir)
	check := func(current, plugin string, contexts ...string) {
		t.Helper()
		config, err := clientcmd.LoadFromFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if config.CurrentContext != current {
			t.Errorf("the current context is %q, want %q", config.CurrentContext, current)
		}
		if got := slices.Sorted(maps.Keys(config.Contexts)); !slices.Equal(got, contexts) {
			t.Errorf("contexts %q, want %q", got, contexts)
		}
		if admin := config.AuthInfos[administrator]; admin == nil || string(admin.ClientKeyData) != "key" {
			t.Errorf("the administrator is now %v", admin)
		}
		if user := config.AuthInfos[cluster]; plugin != "" && (user == nil || user.Exec == nil || user.Exec.Command != plugin) {
			t.Errorf("the user is %v, want the plugin %s", user, plugin)
		}
		if state, err := os.Stat(path); err != nil || state.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v, want 0600", state.Mode(), err)
		}
	}
	check(administrator, "", administrator)
	for _, plugin := range []string{"/bin/first", "/bin/second"} { // again, as update-kubeconfig can be
		user := &api.AuthInfo{Exec: &api.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: plugin, InteractiveMode: api.NeverExecInteractiveMode}}
		if err := Merge(dir, file, cluster, &api.Cluster{Server: "https://127.0.0.1:2"}, user); err != nil {
			t.Fatal(err)
		}
		check(cluster, plugin, administrator, cluster)
	}
	if err := Use(dir, file, administrator); err != nil {
		t.Fatal(err)
	}
	check(administrator, "/bin/second", administrator, cluster)
}

func TestKubeconfigThatIsNone(t *testing.T) {
	t.Parallel()
	dir := privatetest.Open(t, privatetest.Path(t))
	if err := os.WriteFile(dir.Path("broken"), []byte("clusters: {"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"broken", "missing"} {
		for name, err := range map[string]error{
			"Merge": Merge(dir, file, cluster, &api.Cluster{}, &api.AuthInfo{}),
			"Use":   Use(dir, file, administrator),
		} {
			if err == nil || !strings.Contains(err.Error(), "reading kubeconfig "+dir.Path(file)) {
				t.Errorf("%s = %v, want it to name %s", name, err, file)
			}
		}
	}
}

// A new certificate changes nothing but the context that has it.
func TestRenewCertificate(t *testing.T) {
	t.Parallel()
	dir := privatetest.Open(t, privatetest.Path(t))
	writeFirst(t, dir)
	if err := Merge(dir, file, cluster, &api.Cluster{Server: "https://127.0.0.1:2"}, &api.AuthInfo{Token: "x"}); err != nil {
		t.Fatal(err)
	}
	renewed := &rest.Config{Host: "https://127.0.0.1:3", TLSClientConfig: rest.TLSClientConfig{KeyData: []byte("new")}}
	if err := RenewCertificate(dir, file, administrator, renewed); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(dir.Path(file))
	if err != nil {
		t.Fatal(err)
	}
	if config.CurrentContext != cluster {
		t.Errorf("the current context is now %q", config.CurrentContext)
	}
	if got := config.Clusters[cluster]; got == nil || got.Server != "https://127.0.0.1:2" {
		t.Errorf("the other cluster is now %v", got)
	}
	admin, server := config.AuthInfos[administrator], config.Clusters[administrator]
	if admin == nil || string(admin.ClientKeyData) != "new" || server == nil || server.Server != "https://127.0.0.1:3" {
		t.Errorf("the administrator is %v at %v", admin, server)
	}
}
