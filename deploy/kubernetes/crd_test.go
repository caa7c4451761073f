package kubernetes_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	sigsyaml "sigs.k8s.io/yaml"
)

// TestCRDComponent checks that the component adds a backend after that of the base, and
// the rights that it needs and no others.
func TestCRDComponent(t *testing.T) {
	t.Parallel()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "testdata/crd")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, r := range built.Resources() {
		found[r.GetKind()+"/"+r.GetName()] = r.MustYaml()
	}
	into := func(name string, object any) {
		t.Helper()
		if err := sigsyaml.UnmarshalStrict([]byte(found[name]), object); err != nil || found[name] == "" {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if found["CustomResourceDefinition/iamidentitymappings.iamauthenticator.k8s.aws"] == "" {
		t.Error("there is no definition")
	}
	var set appsv1.DaemonSet
	into("DaemonSet/authenticator", &set)
	args := set.Spec.Template.Spec.Containers[0].Args
	if base, crd := slices.Index(args, "--backend-mode=EKSConfigMap"), slices.Index(args, "--backend-mode=CRD"); base < 0 || crd < base {
		t.Errorf("the arguments are %q", args)
	}
	var role rbacv1.ClusterRole
	into("ClusterRole/authenticator-crd", &role)
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{"iamauthenticator.k8s.aws"}, Resources: []string{"iamidentitymappings"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{"iamauthenticator.k8s.aws"}, Resources: []string{"iamidentitymappings/status"}, Verbs: []string{"patch"}},
	}
	if diff := cmp.Diff(want, role.Rules); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var binding rbacv1.ClusterRoleBinding
	into("ClusterRoleBinding/authenticator-crd", &binding)
	account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: set.Spec.Template.Spec.ServiceAccountName, Namespace: metav1.NamespaceSystem}
	staticPod := rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "aws-iam-authenticator"}
	if diff := cmp.Diff([]rbacv1.Subject{account, staticPod}, binding.Subjects); diff != "" || binding.RoleRef.Name != role.Name {
		t.Errorf("-want +got:\n%s", diff)
	}
}
