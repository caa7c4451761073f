//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// awsCLIWith returns an AWS CLI of this machine that has a command. Without one the test is
// skipped.
func awsCLIWith(t *testing.T, command string) string {
	t.Helper()
	for _, aws := range awsCLIs(t) {
		if exec.Command(aws, append(strings.Fields(command), "--generate-cli-skeleton")...).Run() == nil {
			return aws
		}
	}
	t.Skipf("no AWS CLI on this machine has the command %s", command)
	return ""
}

// principalFlags returns the flags of an access entry of the suite's cluster.
func principalFlags(principalARN string) string {
	return " --cluster-name kubedemy --principal-arn " + principalARN + " "
}

// TestAccessEntry signs in by an access entry, which comes before aws-auth. Without the
// entry, the user is refused.
func TestAccessEntry(t *testing.T) {
	admin := newShell(t, awsCLIWith(t, "eks create-access-entry"))
	user := newUser(t, "entered")
	const arn = "arn:aws:iam::231144931069:user/entered"
	setAWSAuth(t, map[string]string{"mapUsers": "- userarn: " + arn + "\n  username: by-aws-auth\n"})
	s := signIn(t, "")
	user.configure(s)
	becomes(t, s, "by-aws-auth")
	admin.run("aws eks create-access-entry" + principalFlags(arn) + "--username by-entry --kubernetes-groups entrants")
	signedIn := func(username string) func() bool {
		return func() bool {
			return s.try("kubectl auth whoami -o jsonpath={.status.userInfo.username}").stdout == username
		}
	}
	eventually(t, watchDelay, "signed in by the entry", signedIn("by-entry"))
	becomes(t, s, "by-entry", "entrants")
	admin.run("aws eks update-access-entry" + principalFlags(arn) + "--username renamed")
	eventually(t, watchDelay, "signed in by the new username", signedIn("renamed"))
	putAWSAuth(t, nil, map[string]string{"mapRoles": lab.NodesMapping()})
	admin.run("aws eks delete-access-entry" + principalFlags(arn))
	eventually(t, watchDelay, "refused", func() bool {
		return strings.Contains(s.try("kubectl auth whoami").stderr, "Unauthorized")
	})
}

// TestAccessEntryOfARole signs in as a role with a path, and with the session's name. A role
// that is made again under the same ARN is another one.
func TestAccessEntryOfARole(t *testing.T) {
	admin := newShell(t, awsCLIWith(t, "eks create-access-entry"))
	role := newRoleOf(t, "/night/shift/", "Watcher", `"Principal":{"AWS":"arn:aws:iam::231144931069:root"},"Action":"sts:AssumeRole"`)
	admin.run("aws eks create-access-entry" + principalFlags(role))
	t.Cleanup(func() { admin.run("aws eks delete-access-entry" + principalFlags(role)) })
	s := signIn(t, "--role-arn "+role)
	becomes(t, s, "arn:aws:sts::231144931069:assumed-role/Watcher/EKSGetTokenAuth")
	admin.run("aws iam delete-role --role-name Watcher")
	admin.run(`aws iam create-role --path /night/shift/ --role-name Watcher --assume-role-policy-document ` +
		`'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"231144931069"},"Action":"sts:AssumeRole"}]}'`)
	eventually(t, watchDelay, "refused", func() bool {
		return strings.Contains(s.try("kubectl auth whoami").stderr, "Unauthorized")
	})
}

// TestAuthenticationMode changes the cluster's authentication mode to API: from then on,
// aws-auth maps nobody.
func TestAuthenticationMode(t *testing.T) {
	t.Parallel()
	if suite.Info().Provider == lab.Kind {
		t.Skip("it needs a lab of its own, and does not depend on the provider")
	}
	aws := awsCLIWith(t, "eks create-access-entry")
	config, err := newConfig("modes")
	if err != nil {
		t.Fatal(err)
	}
	config.Users = []lab.User{{Name: "alice"}, {Name: "bob"}}
	config.Mappings = []lab.Mapping{{User: "alice", Username: "alice"}}
	own, err := lab.Up(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	admin := newShellIn(t, own, aws)
	becomes := func(name, want string) {
		t.Helper()
		user, err := own.User(name)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, watchDelay, name+" is "+want, func() bool {
			output, err := user.Command(t.Context(), "kubectl", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}").CombinedOutput()
			return strings.Contains(string(output), want) && (err == nil) == (want == name)
		})
	}
	becomes("alice", "alice")
	becomes("bob", "Unauthorized")
	admin.run("aws eks create-access-entry" + principalFlags("arn:aws:iam::231144931069:user/bob") + "--username bob")
	becomes("bob", "bob")
	becomes("alice", "alice")
	admin.run("aws eks update-cluster-config --name kubedemy --access-config authenticationMode=API")
	becomes("alice", "Unauthorized")
	becomes("bob", "bob")
}
