//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// guestAccount is the lab's second account: the cluster is in the first.
const guestAccount = "444455556666"

// newGuest creates an IAM user with an access key in the second account, as its
// administrator does with the AWS CLI.
func newGuest(t *testing.T, name, policy string) accessKey {
	t.Helper()
	admin := newShell(t, awsCLIs(t)[0])
	admin.set("AWS_PROFILE", "admin-"+guestAccount)
	admin.run("aws iam create-user --user-name " + name)
	if policy != "" {
		admin.run("aws iam put-user-policy --user-name " + name + " --policy-name p --policy-document '" + policy + "'")
	}
	key := strings.Fields(admin.run("aws iam create-access-key --user-name " + name + " --query AccessKey.[AccessKeyId,SecretAccessKey] --output text"))
	t.Cleanup(func() {
		admin.run("aws iam delete-access-key --user-name " + name + " --access-key-id " + key[0])
		if policy != "" {
			admin.run("aws iam delete-user-policy --user-name " + name + " --policy-name p")
		}
		admin.run("aws iam delete-user --user-name " + name)
	})
	return accessKey{name, key[0], key[1]}
}

// TestMapAccountsOfAnother signs a user of another account in: mapAccounts takes the
// user's own ARN as username. The user needs no permission in either account.
func TestMapAccountsOfAnother(t *testing.T) {
	setAWSAuth(t, map[string]string{"mapAccounts": "- \"231144931069\"\n"})
	s := signIn(t, "")
	newGuest(t, "Guest", "").configure(s)
	s.refused("")
	setAWSAuth(t, map[string]string{"mapAccounts": "- \"" + guestAccount + "\"\n"})
	becomes(t, s, "arn:aws:iam::"+guestAccount+":user/Guest")
}

// TestRoleOfAnotherAccount signs a user of another account in through a role that
// wants an external ID. The role's trust policy and the user's own policies must allow
// it.
func TestRoleOfAnotherAccount(t *testing.T) {
	role := newRoleOf(t, "/", "Visitors", `"Principal":{"AWS":"arn:aws:iam::`+guestAccount+`:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"abc-123"}}`)
	setAWSAuth(t, map[string]string{"mapRoles": "- rolearn: " + role + "\n  username: visitor:{{SessionName}}\n  groups: [visitors]\n"})
	may := newGuest(t, "Contractor", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"`+role+`"}]}`)
	mayNot := newGuest(t, "Stranger", "")
	const assume = "aws sts assume-role --role-session-name someone --role-arn "
	for _, plugin := range plugins() {
		t.Run(plugin.name, func(t *testing.T) {
			s := signIn(t, "")
			mayNot.configure(s)
			s.fails(assume+role+" --external-id abc-123", "no identity-based policy allows the sts:AssumeRole action")
			may.configure(s)
			s.fails(assume+role, "AccessDenied")
			s.fails(assume+role+" --external-id abc-124", "AccessDenied")
			s.refused("")
			s.profile(`[profile visitor]
role_arn = ` + role + `
source_profile = default
role_session_name = contractor
external_id = abc-123
`)
			s.set("AWS_PROFILE", "visitor")
			plugin.use(s)
			becomes(t, s, "visitor:contractor", "visitors")
		})
	}
}
