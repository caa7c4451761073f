//go:build e2e

package e2e

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// The authenticator receives an edit of aws-auth through a watch, within
// milliseconds; this allows for a slow and busy machine.
const watchDelay = time.Minute

// awsAuth returns the client for aws-auth, as an administrator.
func awsAuth(t *testing.T) typedcorev1.ConfigMapInterface {
	t.Helper()
	client, err := suite.Kubernetes()
	if err != nil {
		t.Fatal(err)
	}
	return client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
}

// keepAWSAuth restores aws-auth when the test ends.
func keepAWSAuth(t *testing.T) {
	t.Helper()
	found, err := awsAuth(t).Get(t.Context(), "aws-auth", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { putAWSAuth(t, found.Annotations, found.Data) })
}

// setAWSAuth sets the entries in aws-auth until the test ends. The nodes' entry
// stays after them, because the nodes need it.
func setAWSAuth(t *testing.T, data map[string]string) {
	t.Helper()
	keepAWSAuth(t)
	data = maps.Clone(data)
	data["mapRoles"] += lab.NodesMapping()
	putAWSAuth(t, nil, data)
}

func putAWSAuth(t *testing.T, annotations, data map[string]string) {
	t.Helper()
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "aws-auth", Namespace: metav1.NamespaceSystem, Annotations: annotations}, Data: data,
	}
	_, err := awsAuth(t).Update(context.Background(), object, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = awsAuth(t).Create(context.Background(), object, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// signIn returns a shell whose kubeconfig signs in to the cluster with its AWS
// identity. The administrator's key creates the kubeconfig, since the identity may
// lack the permission to describe the cluster.
func signIn(t *testing.T, flags string) *shell {
	t.Helper()
	s := newShell(t, awsCLIs(t)[0])
	s.run("aws eks update-kubeconfig --name kubedemy " + flags)
	return s
}

// becomes waits until the shell signs in as a user.
func becomes(t *testing.T, s *shell, username string, groups ...string) {
	t.Helper()
	eventually(t, watchDelay+webhookCacheTTL, "signed in as "+username, func() bool {
		return s.try("kubectl auth whoami").err == nil
	})
	user := s.whoami("")
	if want := slices.Concat(groups, []string{"system:authenticated"}); user.Username != username || !slices.Equal(user.Groups, want) {
		t.Errorf("signed in as %q in %q, want %q in %q", user.Username, user.Groups, username, want)
	}
}

func TestAssumedRoleWithSessionName(t *testing.T) {
	role := newRole(t, "KubernetesAdmin")
	setAWSAuth(t, map[string]string{"mapRoles": `
- rolearn: ` + role + `
  username: "admin:{{SessionName}}"
  groups: [system:masters]
`})
	s := signIn(t, "--role-arn "+role)
	becomes(t, s, "admin:EKSGetTokenAuth", "system:masters")

	user := s.whoami("")
	if want := "arn:aws:sts::231144931069:assumed-role/KubernetesAdmin/EKSGetTokenAuth"; user.Extra["arn"][0] != want {
		t.Errorf("arn = %q, want %q", user.Extra["arn"], want)
	}
	if user.Extra["canonicalArn"][0] != role {
		t.Errorf("canonicalArn = %q, want %q", user.Extra["canonicalArn"], role)
	}
	if user.Extra["sessionName"][0] != "EKSGetTokenAuth" {
		t.Errorf("sessionName = %q", user.Extra["sessionName"])
	}
}

func TestNodeRoleWithPrivateDNSName(t *testing.T) {
	role := newRole(t, "Kubedemy_EKS_Managed_Nodegroup_Role")
	setAWSAuth(t, map[string]string{"mapRoles": `
- rolearn: ` + role + `
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:bootstrappers, system:nodes]
`})
	as := func(instance string) *shell {
		s := signIn(t, "")
		session := strings.Fields(s.run("aws sts assume-role --role-arn " + role + " --role-session-name " + instance +
			" --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text"))
		s.set("AWS_ACCESS_KEY_ID", session[0])
		s.set("AWS_SECRET_ACCESS_KEY", session[1])
		s.set("AWS_SESSION_TOKEN", session[2])
		return s
	}
	becomes(t, as(lab.NodeInstanceID), "system:node:"+lab.NodeName, "system:bootstrappers", "system:nodes")
	t.Run("an instance that EC2 does not know is nobody", func(t *testing.T) {
		as("i-00000000000000bad").refused("")
	})
	t.Run("a session that is no instance is nobody", func(t *testing.T) {
		as("mallory").refused("")
	})
}

func TestMapAccounts(t *testing.T) {
	setAWSAuth(t, map[string]string{"mapAccounts": "- \"231144931069\"\n"})
	user := newUser(t, "FromTheAccount")
	s := signIn(t, "")
	user.configure(s)
	becomes(t, s, "arn:aws:iam::231144931069:user/FromTheAccount")
}

func TestEditActsOnTheNextTokenReview(t *testing.T) {
	user := newUser(t, "editor")
	s := signIn(t, "")
	user.configure(s)
	s.refused("")

	entry := func(group string) map[string]string {
		return map[string]string{"mapUsers": "- userarn: arn:aws:iam::231144931069:user/editor\n  username: editor\n  groups: [" + group + "]\n"}
	}
	setAWSAuth(t, entry("before"))
	becomes(t, s, "editor", "before")
	token := s.bearerToken("kubedemy")
	setAWSAuth(t, entry("after"))
	// The same token, so its identity is cached; its mapping is not.
	eventually(t, watchDelay, "in group after", func() bool {
		return slices.Contains(s.review(token).User.Groups, "after")
	})
	setAWSAuth(t, map[string]string{"mapUsers": "[]"})
	eventually(t, watchDelay, "unmapped", func() bool { return !s.review(token).Authenticated })
}

func TestOwnerSurvivesTheDeletionOfAWSAuth(t *testing.T) {
	keepAWSAuth(t)
	if err := awsAuth(t).Delete(t.Context(), "aws-auth", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s := signIn(t, "--role-arn "+suite.Info().OwnerARN)
	becomes(t, s, "kubernetes-admin", "system:masters")
}

// TestTypoLocksNobodyOut breaks one section of aws-auth: its entries stay in effect,
// and edits of the other section take effect.
func TestTypoLocksNobodyOut(t *testing.T) {
	role := newRole(t, "Engineers")
	user := newUser(t, "leaver")
	good := "- rolearn: " + role + "\n  username: engineer:{{SessionName}}\n  groups: [engineers]\n"
	setAWSAuth(t, map[string]string{
		"mapRoles": good,
		"mapUsers": "- userarn: arn:aws:iam::231144931069:user/leaver\n  username: leaver\n  groups: [engineers]\n",
	})
	engineer, leaver := signIn(t, "--role-arn "+role), signIn(t, "")
	user.configure(leaver)
	becomes(t, engineer, "engineer:EKSGetTokenAuth", "engineers")
	becomes(t, leaver, "leaver", "engineers")

	// The classic mistake: an unquoted template. The leaver is revoked too.
	setAWSAuth(t, map[string]string{
		"mapRoles": "- rolearn: " + role + "\n  username: {{SessionName}}\n  groups: [engineers]\n",
		"mapUsers": "[]",
	})
	eventually(t, watchDelay+webhookCacheTTL, "the leaver out", func() bool {
		return leaver.try("kubectl auth whoami").err != nil
	})
	becomes(t, engineer, "engineer:EKSGetTokenAuth", "engineers")

	admin := newShell(t, awsCLIs(t)[0])
	eventually(t, watchDelay, "an Event about the typo", func() bool {
		events := admin.run("kubectl --context administrator -n kube-system get events --field-selector involvedObject.name=aws-auth -o jsonpath='{.items[*].message}'")
		return strings.Contains(events, "mapRoles") && strings.Contains(events, "line 2")
	})
}
