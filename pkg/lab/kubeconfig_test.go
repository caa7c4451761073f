package lab

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
)

func writeTestKubeconfig(t *testing.T, dir *private.Dir) {
	t.Helper()
	if err := writeConfig(dir, kubeconfigFile, administratorContext, &api.Cluster{Server: "https://127.0.0.1:1"}, &api.AuthInfo{ClientKeyData: []byte("key")}); err != nil {
		t.Fatal(err)
	}
}

func TestMergeConfig(t *testing.T) {
	t.Parallel()
	dir := privateDir(t, realDir(t))
	path := dir.Path(kubeconfigFile)
	writeTestKubeconfig(t, dir)
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
		if admin := config.AuthInfos[administratorContext]; admin == nil || string(admin.ClientKeyData) != "key" {
			t.Errorf("the administrator is now %v", admin)
		}
		if user := config.AuthInfos[ClusterARN]; plugin != "" && (user == nil || user.Exec == nil || user.Exec.Command != plugin) {
			t.Errorf("the user is %v, want the plugin %s", user, plugin)
		}
		if state, err := os.Stat(path); err != nil || state.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v, want 0600", state.Mode(), err)
		}
	}
	check(administratorContext, "", administratorContext)
	for _, plugin := range []string{"/bin/first", "/bin/second"} { // again, as update-kubeconfig can be
		user := &api.AuthInfo{Exec: &api.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: plugin, InteractiveMode: api.NeverExecInteractiveMode}}
		if err := mergeConfig(dir, kubeconfigFile, ClusterARN, &api.Cluster{Server: "https://127.0.0.1:2"}, user); err != nil {
			t.Fatal(err)
		}
		check(ClusterARN, plugin, administratorContext, ClusterARN)
	}
	if err := useAdministrator(dir, kubeconfigFile); err != nil {
		t.Fatal(err)
	}
	check(administratorContext, "/bin/second", administratorContext, ClusterARN)
}

func TestKubeconfigThatIsNone(t *testing.T) {
	t.Parallel()
	dir := privateDir(t, realDir(t))
	write(t, dir.Path("broken"), "clusters: {")
	for _, file := range []string{"broken", "missing"} {
		for name, err := range map[string]error{
			"mergeConfig":      mergeConfig(dir, file, ClusterARN, &api.Cluster{}, &api.AuthInfo{}),
			"useAdministrator": useAdministrator(dir, file),
		} {
			if err == nil || !strings.Contains(err.Error(), "reading kubeconfig "+dir.Path(file)) {
				t.Errorf("%s = %v, want it to name %s", name, err, file)
			}
		}
	}
}
