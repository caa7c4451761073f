//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestView maps a user to ClusterRole view, which has its rules from a controller: the
// user lists pods, and deletes none.
func TestView(t *testing.T) {
	s, _ := mapped(t, "viewer")
	admin := newShell(t, awsCLIs(t)[0])
	admin.run("kubectl create namespace viewed")
	t.Cleanup(func() { admin.run("kubectl delete namespace viewed --wait=false") })
	eventually(t, watchDelay, "a default ServiceAccount", func() bool {
		return admin.try("kubectl get serviceaccount default -n viewed").err == nil
	})
	admin.run("kubectl create rolebinding people --clusterrole=view --group=people -n viewed")
	admin.run("kubectl run web --image=example.com/web -n viewed")
	if pods := s.run("kubectl get pods -n viewed --output name"); strings.TrimSpace(pods) != "pod/web" {
		t.Errorf("the user lists the pods %q, want pod/web", pods)
	}
	for _, command := range []string{"kubectl delete pod web -n viewed", "kubectl get pods -n default"} {
		if r := s.try(command); r.err == nil || !strings.Contains(r.stderr, `User "viewer" cannot`) {
			t.Errorf("%s: %v: %s, want Forbidden", command, r.err, r.stderr)
		}
	}
}

// TestServiceAccount runs what every namespace has in a real cluster: a pod gets the
// default ServiceAccount, whose token signs in, and a deleted namespace takes all with it.
func TestServiceAccount(t *testing.T) {
	s := newShell(t, awsCLIs(t)[0])
	s.run("kubectl create namespace accounts")
	eventually(t, watchDelay, "the CA of kube-apiserver", func() bool {
		return s.try("kubectl get configmap kube-root-ca.crt -n accounts").err == nil
	})
	s.run("kubectl run web --image=example.com/web -n accounts")
	if name := s.run("kubectl get pod web -n accounts --output 'jsonpath={.spec.serviceAccountName}'"); name != "default" {
		t.Errorf("the pod has ServiceAccount %q, want default", name)
	}
	token := strings.TrimSpace(s.run("kubectl create token default -n accounts"))
	if user := signIn(t, "").whoami(as(token)); user.Username != "system:serviceaccount:accounts:default" {
		t.Errorf("its token signs in as %q", user.Username)
	}
	s.write("token.yaml", `{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token,
 metadata: {name: token, namespace: accounts, annotations: {kubernetes.io/service-account.name: default}}}`)
	s.run("kubectl apply -f token.yaml")
	eventually(t, watchDelay, "a token in the Secret", func() bool {
		return s.run("kubectl get secret token -n accounts --output 'jsonpath={.data.token}'") != ""
	})
	s.run("kubectl delete namespace accounts --timeout=60s")
	if r := s.try("kubectl get namespace accounts"); r.err == nil {
		t.Error("the namespace is still there")
	}
}
