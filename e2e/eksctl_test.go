//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEksctl runs eksctl on the lab's cluster: what it reads of EKS and of
// CloudFormation, what it edits in aws-auth, and the kubeconfig that it writes.
func TestEksctl(t *testing.T) {
	eksctl, err := exec.LookPath(os.Getenv("EKSCTL"))
	if err != nil {
		t.Skipf("nothing tests eksctl: EKSCTL names no program (%v); make eksctl builds bin/eksctl", err)
	}
	if eksctl, err = filepath.Abs(eksctl); err != nil {
		t.Fatal(err)
	}
	const administrator = "arn:aws:iam::231144931069:user/administrator"
	setAWSAuth(t, map[string]string{"mapUsers": "- userarn: " + administrator + "\n  username: administrator\n  groups: [\"system:masters\"]\n"})
	s := withAuthenticator(newShell(t, awsCLIs(t)[0]))
	if err := os.Symlink(eksctl, filepath.Join(s.dir, "bin", "eksctl")); err != nil {
		t.Fatal(err)
	}
	// says runs what is typed; its output must have these words.
	says := func(typed string, words ...string) {
		t.Helper()
		r := s.try(typed)
		t.Logf("$ %s\n%s%s", typed, r.stdout, r.stderr)
		if r.err != nil {
			t.Fatalf("$ %s: %v\nthe authenticator's log:\n%s", typed, r.err, s.authenticatorLog())
		}
		for _, word := range words {
			if !strings.Contains(r.stdout+r.stderr, word) {
				t.Errorf("$ %s: nothing says %q", typed, word)
			}
		}
	}
	const trust = `'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'`
	s.run("aws iam create-role --role-name EksctlNode --assume-role-policy-document " + trust)
	s.run("aws eks create-nodegroup --cluster-name kubedemy --nodegroup-name eksctl-workers --subnets $(aws ec2 describe-subnets --query Subnets[0].SubnetId --output text)" +
		" --node-role arn:aws:iam::231144931069:role/EksctlNode --scaling-config minSize=1,maxSize=3,desiredSize=2")
	s.run("aws eks create-addon --cluster-name kubedemy --addon-name coredns")
	t.Cleanup(func() {
		s.run("aws eks delete-nodegroup --cluster-name kubedemy --nodegroup-name eksctl-workers")
		s.run("aws iam delete-role --role-name EksctlNode")
	})

	says("eksctl get cluster", "kubedemy", "eu-west-2")
	says("eksctl get cluster --name kubedemy", "kubedemy", "ACTIVE")
	says("eksctl get nodegroup --cluster kubedemy", "eksctl-workers", "ACTIVE")
	says("eksctl get nodegroup --cluster kubedemy --output yaml", "role/EksctlNode")
	says("eksctl get addon --cluster kubedemy", "coredns", "ACTIVE")
	says("eksctl delete addon --cluster kubedemy --name coredns", "coredns")
	if left := s.run("aws eks list-addons --cluster-name kubedemy --output text"); strings.Contains(left, "coredns") {
		t.Errorf("the add-on is still there: %s", left)
	}

	const role = "arn:aws:iam::231144931069:role/EksctlDev"
	says("eksctl get iamidentitymapping --cluster kubedemy", administrator)
	says("eksctl create iamidentitymapping --cluster kubedemy --arn " + role + " --username dev --group people")
	says("eksctl get iamidentitymapping --cluster kubedemy --arn "+role, "dev", "people")
	says("authenticator map get "+role+" --context administrator", "dev", "people")
	says("eksctl delete iamidentitymapping --cluster kubedemy --arn " + role)
	if left := s.run("kubectl get configmap aws-auth -n kube-system -o yaml --context administrator"); strings.Contains(left, role) {
		t.Errorf("the mapping is still there: %s", left)
	}

	says("eksctl utils write-kubeconfig --cluster kubedemy --kubeconfig eksctl.kubeconfig")
	if user := s.whoami("--kubeconfig eksctl.kubeconfig"); user.Username != "administrator" {
		t.Errorf("the kubeconfig signs in as %q", user.Username)
	}
	says("eksctl utils associate-iam-oidc-provider --cluster kubedemy --approve", "created IAM Open ID Connect provider")
	says("eksctl utils associate-iam-oidc-provider --cluster kubedemy --approve", "is already associated")
}
