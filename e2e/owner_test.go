//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestOwnerProfile uses the cluster as its owner, whose profile every lab has: the owner
// describes the cluster, gets a kubeconfig and is an administrator.
func TestOwnerProfile(t *testing.T) {
	s := newShell(t, awsCLIs(t)[0])
	if name := s.run("aws eks describe-cluster --name kubedemy --profile owner --query cluster.name --output text"); strings.TrimSpace(name) != "kubedemy" {
		t.Errorf("the owner describes cluster %q", name)
	}
	s.run("aws eks update-kubeconfig --name kubedemy --profile owner --kubeconfig owner.kubeconfig")
	s.set("KUBECONFIG", s.dir+"/owner.kubeconfig")
	if user := s.whoami(""); user.Username != "kubernetes-admin" {
		t.Errorf("the owner signs in as %q", user.Username)
	}
}
