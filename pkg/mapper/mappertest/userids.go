package mappertest

import (
	"testing"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// UserIDs returns mappings that match by unique IDs, as the sections of aws-auth.
func UserIDs() map[string]string {
	return map[string]string{
		"mapRoles": `
- userid: AROAADMIN
  rolearn: arn:aws:iam::231144931069:role/team/Admin
  username: admin:{{SessionName}}
  groups: [system:masters]
- userid: AROAALONE
  username: alone
- userid: AROATWICE
  username: first
- userid: AROATWICE
  username: second
- userid: AROAMALFORMED
  rolearn: not-an-arn
  username: malformed
- userid: AROASESSION
  rolearn: arn:aws:sts::231144931069:assumed-role/Session/x
  username: session
- rolearn: arn:aws:iam::231144931069:role/NoID
  username: no-id
`,
		"mapUsers": `
- userid: AIDABOB
  userarn: arn:aws:iam::231144931069:user/div/Bob
  username: bob
`,
	}
}

// RunUserIDs runs the suite for unique IDs on the table that a source read from
// [UserIDs].
func RunUserIDs(t *testing.T, name string, current func() *mapper.Table) {
	entries := mapper.Entries(current, Instances())
	role := func(name, id string) [2]string {
		return [2]string{"arn:aws:sts::" + Account + ":assumed-role/" + name + "/alice", id + ":alice"}
	}
	for of, test := range map[string]struct {
		who  [2]string // ARN and user ID
		want string
	}{
		"a role with a path":               {role("Admin", "AROAADMIN"), "admin:alice"},
		"in another case":                  {role("ADMIN", "AROAADMIN"), "admin:alice"},
		"a role that was created again":    {role("Admin", "AROAOTHER"), ""},
		"a role that was renamed":          {role("Other", "AROAADMIN"), ""},
		"an ID in another case":            {role("Admin", "aroaadmin"), ""},
		"an ID alone":                      {role("Whatever", "AROAALONE"), "alone"},
		"the later of two":                 {role("Whatever", "AROATWICE"), "second"},
		"a malformed ARN matches nobody":   {role("Admin", "AROAMALFORMED"), ""},
		"the ARN of a session does not":    {role("Session", "AROASESSION"), ""},
		"an entry without an ID":           {role("NoID", "AROANOID"), ""},
		"a user with a path":               {[2]string{"arn:aws:iam::" + Account + ":user/div/Bob", "AIDABOB"}, "bob"},
		"a user who was created again":     {[2]string{"arn:aws:iam::" + Account + ":user/div/Bob", "AIDAOTHER"}, ""},
		"a user who moved to another path": {[2]string{"arn:aws:iam::" + Account + ":user/Bob", "AIDABOB"}, ""},
	} {
		t.Run(of, func(t *testing.T) {
			who := Principal(t, Account, test.who[0], test.who[1])
			match, ok, err := entries.Map(t.Context(), who, nil)
			if err != nil || ok != (test.want != "") || match.Username != test.want {
				t.Errorf("%s with %s is %q, %v; want %q", who.ARN, who.UserID, match.Username, err, test.want)
			}
			if ok && match.Rule.Source != name {
				t.Errorf("the rule is %+v, want one of %s", match.Rule, name)
			}
		})
	}
}
