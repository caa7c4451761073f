//go:build e2e

package e2e

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// TestRestartWhileAWSAuthIsBroken breaks a section and restarts the server: it has the
// content that it saved, and everybody still signs in.
func TestRestartWhileAWSAuthIsBroken(t *testing.T) {
	role := newRole(t, "Restarted")
	entry := func(username, group string) string {
		return "- rolearn: " + role + "\n  username: " + username + "\n  groups: [" + group + "]\n"
	}
	setAWSAuth(t, map[string]string{"mapRoles": entry("restarted", "before")})
	engineer, admin := signIn(t, "--role-arn "+role), newShell(t, awsCLIs(t)[0])
	becomes(t, engineer, "restarted", "before")
	found, err := awsAuth(t).Get(t.Context(), "aws-auth", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, watchDelay, "saved", func() bool {
		saved, err := awsAuth(t).Get(t.Context(), "aws-auth-last-good", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return saved.Data["resourceVersion"] == found.ResourceVersion && len(saved.BinaryData["sections"]) > 0
	})
	apply := func(roles string) {
		t.Helper()
		admin.write("aws-auth.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: aws-auth, namespace: kube-system}\ndata:\n  mapRoles: |\n    "+
			strings.ReplaceAll(roles+lab.NodesMapping(), "\n", "\n    ")+"\n")
		admin.run("kubectl apply -f aws-auth.yaml")
	}

	apply(entry("{{SessionName}}", "broken"))
	eventually(t, watchDelay+eventDelay, "an Event about the mistake", func() bool {
		events := admin.run("kubectl -n kube-system get events --field-selector involvedObject.name=aws-auth -o jsonpath='{.items[*].message}'")
		return strings.Contains(events, "mapRoles")
	})
	becomes(t, engineer, "restarted", "before")
	if err := suite.RestartAuthenticator(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	// The log is written behind the answers: a server can be ready before its log says why.
	eventually(t, watchDelay, "logged that the server uses what is saved", func() bool {
		return strings.Contains(suite.AuthenticatorLog(t.Context()), "last good content from ConfigMap aws-auth-last-good")
	})
	if status := engineer.review(engineer.bearerToken("kubedemy --role-arn " + role)); status.User.Username != "restarted" {
		t.Errorf("after the restart: %+v", status)
	}
	becomes(t, engineer, "restarted", "before")

	apply(entry("mended", "after"))
	eventually(t, watchDelay+tokenCacheTTL+webhookCacheTTL, "mended", func() bool { return engineer.whoami("").Username == "mended" })
}
