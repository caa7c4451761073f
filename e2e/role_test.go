//go:build e2e

package e2e

import "testing"

// A plugin makes kubectl's tokens.
type plugin struct {
	name string
	use  func(s *shell)
}

// plugins returns the two common ones; kubeconfigs of `aws eks update-kubeconfig`
// have the first.
func plugins() []plugin {
	return []plugin{
		{"aws eks get-token", func(*shell) {}},
		{"authenticator token", func(s *shell) {
			s.run("kubectl config set-credentials plugin --exec-api-version=client.authentication.k8s.io/v1 --exec-interactive-mode=IfAvailable" +
				" --exec-command=" + suite.Info().Authenticator + " --exec-arg=token --exec-arg=--cluster-id=kubedemy")
			s.run("kubectl config set-context --current --user=plugin")
		}},
	}
}

// TestRoleChain assumes one role and from it another, which trusts only the first.
func TestRoleChain(t *testing.T) {
	user := newUser(t, "chained")
	hop := newRoleOf(t, "/", "Hop", `"Principal":{"AWS":"arn:aws:iam::231144931069:user/chained"},"Action":"sts:AssumeRole"`)
	target := newRoleOf(t, "/", "Target", `"Principal":{"AWS":"`+hop+`"},"Action":"sts:AssumeRole"`)
	setAWSAuth(t, map[string]string{"mapRoles": "- rolearn: " + target + "\n  username: chained:{{SessionName}}\n  groups: [hoppers]\n"})
	for _, plugin := range plugins() {
		t.Run(plugin.name, func(t *testing.T) {
			s := signIn(t, "")
			user.configure(s)
			s.fails("aws sts assume-role --role-arn "+target+" --role-session-name straight", "AccessDenied")
			s.profile(`[profile hop]
role_arn = ` + hop + `
source_profile = default

[profile target]
role_arn = ` + target + `
source_profile = hop
role_session_name = onward
`)
			s.set("AWS_PROFILE", "target")
			plugin.use(s)
			becomes(t, s, "chained:onward", "hoppers")
		})
	}
}

// TestSSORole signs in as with IAM Identity Center: the role has a path, which STS
// does not return.
func TestSSORole(t *testing.T) {
	role := func(name string) string {
		return newRoleOf(t, "/aws-reserved/sso.amazonaws.com/eu-west-2/", name, `"Principal":{"AWS":"arn:aws:iam::231144931069:root"},"Action":"sts:AssumeRole"`)
	}
	engineers := role("AWSReservedSSO_Engineers_0123456789abcdef")
	readers := role("AWSReservedSSO_Readers_0123456789abcdef")
	others := role("AWSReservedSSO_Others_0123456789abcdef")
	setAWSAuth(t, map[string]string{"mapRoles": `
- rolearn: ` + others + `
  username: other
- sso: {permissionSetName: Engineers, accountID: "231144931069"}
  username: engineer:{{SessionName}}
  groups: [engineers]
- rolearn: arn:aws:iam::231144931069:role/AWSReservedSSO_Readers_0123456789abcdef
  username: reader:{{SessionName}}
  groups: [readers]
`})
	becomes(t, signIn(t, "--role-arn "+engineers), "engineer:EKSGetTokenAuth", "engineers")
	becomes(t, signIn(t, "--role-arn "+readers), "reader:EKSGetTokenAuth", "readers")
	signIn(t, "--role-arn "+others).refused("") // an entry with the path matches no one, as on EKS
}
