//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kube-iam/authenticator/e2e/internal/apiserver"
	"github.com/kube-iam/authenticator/pkg/lab"
)

// TestMountedFile signs in to a kube-apiserver by the mappings in the configuration file
// of its server. A change acts without a restart, and a broken one leaves the last good
// mappings in force.
func TestMountedFile(t *testing.T) {
	if suite.Info().Provider == lab.Kind {
		t.Skip("TestMountedFileOnNode tests it in a cluster of kind")
	}
	user, role := newUser(t, "configured"), newRole(t, "Configured")
	s := signIn(t, "")
	config := func(username string) string {
		return fmt.Sprintf(`
clusterID: kubedemy
server:
  mapUsers:
  - {userarn: "arn:aws:iam::231144931069:user/configured", username: %s, groups: [dev]}
  mapRoles:
  - {rolearn: %q, username: "role:{{SessionName}}", groups: [ops]}
`, username, role)
	}
	path := s.write("config.yaml", config("first"))
	server := serve(s, "server", "--config="+path)
	kubernetes := apiserver.Start(t, filepath.Join("..", "bin", "k8s"), server.kubeconfig)
	person := newBearerOf(t, kubernetes.Kubeconfig, newTokens(t, user))
	assumed := newBearerOf(t, kubernetes.Kubeconfig, func() string { return s.bearerToken("kubedemy --role-arn " + role) })
	becomes := func(b *bearer, username, group string) {
		t.Helper()
		eventually(t, watchDelay, "signed in as "+username, func() bool {
			who, err := b.whoami(t.Context())
			return err == nil && who.Username == username && strings.Join(who.Groups, ",") == group+",system:authenticated"
		})
	}
	becomes(person, "first", "dev")
	becomes(assumed, "role:EKSGetTokenAuth", "ops")

	s.write("config.yaml", config("in-place"))
	becomes(person, "in-place", "dev")
	if err := replaceFile(path, config("renamed")); err != nil {
		t.Fatal(err)
	}
	becomes(person, "renamed", "dev")
	for i, broken := range []string{config("[broken"), config("broken") + "  - rolearn: nobody\n"} {
		s.write("config.yaml", broken)
		eventually(t, watchDelay, "the mistake logged", func() bool {
			return strings.Count(server.logged(), "its last good mappings stay in force") > i
		})
		becomes(person, "renamed", "dev")
		becomes(assumed, "role:EKSGetTokenAuth", "ops")
	}
	if err := replaceFile(path, "clusterID: kubedemy\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, watchDelay, "revoked", func() bool { return apierrors.IsUnauthorized(person.signIn(t.Context())) })
}
