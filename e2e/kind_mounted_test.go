//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMountedFileOnNode gives the node's authenticator a configuration file with mappings,
// ahead of aws-auth. A change of the file acts without a restart, and a broken one leaves
// the last good mappings in force.
func TestMountedFileOnNode(t *testing.T) {
	onKind(t)
	const (
		files  = "/etc/kubernetes/aws-iam-authenticator/"
		before = "--backend-mode=EKSConfigMap\n"
		after  = "--backend-mode=MountedFile,DynamicFile,EKSConfigMap\n"
		// The file that replaces the modes gives way to the configuration file.
		modes  = "--dynamic-backend-mode-file=/etc/kubernetes/eks-access-entries/backend-mode.json\n"
		config = "--config=" + files + "config.yaml\n"
	)
	plane := controlPlane(t)
	_, other := mapped(t, "by-configmap")
	byConfigMap, byFile := newBearer(t, other), newBearer(t, newUser(t, "by-file"))
	is := func(b *bearer, username, group string) func() bool {
		return func() bool {
			who, err := b.whoami(t.Context())
			return err == nil && who.Username == username && strings.Join(who.Groups, ",") == group+",system:authenticated"
		}
	}
	dir := plane.mounted(strings.TrimSuffix(files, "/"))
	write := func(name, username string) {
		t.Helper()
		content := fmt.Sprintf("server:\n  mapUsers:\n  - {userarn: \"arn:aws:iam::231144931069:user/by-file\", username: %s, groups: [dev]}\n", username)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil { // the pod is not root's
			t.Fatal(err)
		}
	}
	restarted := func(container string) func() bool {
		return func() bool {
			running := plane.authenticatorContainer()
			return running != "" && running != container && plane.authenticatorServes()
		}
	}

	write("config.yaml", "first")
	container := plane.authenticatorContainer()
	plane.editManifest(before, after, modes, config)
	defer func() {
		container := plane.authenticatorContainer()
		plane.editManifest(after, before, config, modes)
		eventually(t, rolls, "the authenticator as before", restarted(container))
		_ = os.Remove(filepath.Join(dir, "config.yaml"))
	}()
	eventually(t, rolls, "the authenticator with the file", restarted(container))
	eventually(t, time.Minute, "signed in by the file", is(byFile, "first", "dev"))
	eventually(t, time.Minute, "signed in by aws-auth", is(byConfigMap, "by-configmap", "people"))

	container = plane.authenticatorContainer()
	write("config.yaml", "in-place")
	eventually(t, watchDelay, "a file that was written in place", is(byFile, "in-place", "dev"))
	write("config.new", "replaced")
	if err := os.Rename(filepath.Join(dir, "config.new"), filepath.Join(dir, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	eventually(t, watchDelay, "a file that was replaced", is(byFile, "replaced", "dev"))
	write("config.yaml", "[broken")
	eventually(t, watchDelay, "the mistake logged", func() bool {
		return strings.Contains(plane.run("sh", "-c", "crictl logs "+container+" 2>&1"), "its last good mappings stay in force")
	})
	if !is(byFile, "replaced", "dev")() || !is(byConfigMap, "by-configmap", "people")() {
		t.Error("a broken file changed who may sign in")
	}
	if running := plane.authenticatorContainer(); running != container {
		t.Errorf("container %s replaced %s: the file is to be read again without a restart", running, container)
	}
}
