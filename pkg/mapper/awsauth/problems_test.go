package awsauth_test

import (
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// TestProblems checks the code, place and effect of each mistake: alice's valid entry
// always applies, and an error in B's entry drops that entry, unless the error is in a
// group.
func TestProblems(t *testing.T) {
	const alice = "- rolearn: " + role + "Alice\n  username: alice:{{SessionName}}\n"
	for _, test := range []struct {
		name, section, text string
		code                mapper.Code
		severity            mapper.Severity
		line                int
		fix                 string // part of it
	}{
		{"an entry that is text", "mapRoles", alice + "- " + role + "Bob\n", mapper.EntryNotMap, mapper.Error, 3, "rolearn"},
		{"no ARN", "mapRoles", alice + "- username: bob\n", mapper.EntryNoARN, mapper.Error, 3, "rolearn"},
		{"userarn under mapRoles", "mapRoles", alice + "- userarn: " + user + "bob\n  username: bob\n", mapper.EntryWrongField, mapper.Error, 3, "move the entry to mapUsers"},
		{"a role's ARN as userarn under mapRoles", "mapRoles", alice + "- userarn: " + role + "B\n  username: b:{{SessionName}}\n", mapper.EntryWrongField, mapper.Error, 3, "write rolearn"},
		{"userarn beside rolearn", "mapRoles", alice + "- rolearn: " + role + "B\n  userarn: " + user + "bob\n  username: b:{{SessionName}}\n", mapper.WrongField, mapper.Warning, 4, "remove it"},
		{"rolearn and sso", "mapRoles", alice + "- rolearn: " + role + "B\n  sso: {permissionSetName: A, accountID: '231144931069'}\n", mapper.EntryWrongField, mapper.Error, 3, "keep one"},
		{"not an ARN", "mapRoles", alice + "- rolearn: bob\n  username: bob\n", mapper.EntryInvalidARN, mapper.Error, 3, "arn:aws:iam"},
		{"a group's ARN", "mapUsers", "- userarn: arn:aws:iam::231144931069:group/people\n  username: bob\n", mapper.EntryInvalidARN, mapper.Error, 1, "map the users"},
		{"an ARN that is a number", "mapRoles", alice + "- rolearn: 5\n", mapper.EntryWrongType, mapper.Error, 3, "accounts belong in mapAccounts"},
		{"a username that is a list", "mapRoles", alice + "- rolearn: " + role + "B\n  username: [b]\n", mapper.EntryWrongType, mapper.Error, 4, "write one name"},
		{"a name with a space", "mapRoles", alice + "- rolearn: " + role + "B b\n  username: b:{{SessionName}}\n", mapper.ARNMatchesNobody, mapper.Error, 3, "write the name as in IAM, without white space"},
		{"an ARN with a region", "mapRoles", alice + "- rolearn: arn:aws:iam:eu-west-2:231144931069:role/B\n  username: b:{{SessionName}}\n", mapper.ARNMatchesNobody, mapper.Error, 3, "write " + role + "B"},
		{"a placeholder that is not closed", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName\n", mapper.EntryTemplate, mapper.Error, 4, "close the placeholder with }}"},
		{"another partition", "mapRoles", alice + "- rolearn: arn:aws-cn:iam::231144931069:role/B\n  username: b:{{SessionName}}\n", mapper.EntryPartition, mapper.Error, 3, "arn:aws:"},
		{"a username that is a number", "mapRoles", alice + "- rolearn: " + role + "B\n  username: 123\n", mapper.EntryWrongType, mapper.Error, 4, "quotes"},
		{"groups that are text", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: system:masters\n", mapper.GroupsNotList, mapper.Error, 5, "groups: [system:masters]"},
		{"a group that is a map", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups:\n  - a: b\n", mapper.GroupNotText, mapper.Error, 6, "write one name"},
		{"several groups in a text", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: -a, b c\n", mapper.GroupsNotList, mapper.Error, 5, "groups: [a, b, c]"},
		{"a list of groups in a text", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: |\n    - a\n    - b\n", mapper.GroupsNotList, mapper.Error, 5, "groups: [a, b]"},
		{"an unknown placeholder", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{Session}}\n", mapper.EntryTemplate, mapper.Error, 4, "{{SessionName}}"},
		{"an unknown placeholder in a group", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: ['{{Group}}']\n", mapper.GroupTemplate, mapper.Error, 5, "{{SessionName}}"},
		{"a permission set without an account", "mapRoles", alice + "- sso: {permissionSetName: Admin}\n  username: b:{{SessionName}}\n", mapper.InvalidAccountID, mapper.Error, 3, "add accountID"},
		{"a permission set in an account with dashes", "mapRoles", alice + "- sso: {permissionSetName: Admin, accountID: 2311-4493-1069}\n  username: b:{{SessionName}}\n", mapper.InvalidAccountID, mapper.Error, 3, `write accountID: "231144931069"`},
		{"the role of a permission set", "mapRoles", alice + "- sso: {permissionSetName: AWSReservedSSO_Team_A_0123456789abcdef, accountID: '231144931069'}\n  username: b:{{SessionName}}\n", mapper.EntryInvalidSSO, mapper.Error, 3, "write permissionSetName: Team_A"},
		{"such a role with another s", "mapRoles", alice + "- sso: {permissionSetName: AWSReſervedSSO_Team_A_0123456789abcdef, accountID: '231144931069'}\n  username: b:{{SessionName}}\n", mapper.EntryInvalidSSO, mapper.Error, 3, "write permissionSetName: Team_A"},
		{"an invalid name of a permission set", "mapRoles", alice + "- sso: {permissionSetName: 'a b', accountID: '231144931069'}\n  username: b:{{SessionName}}\n", mapper.EntryInvalidSSO, mapper.Error, 3, "permissionSetName"},
		{"an invalid account", "mapAccounts", "- 12345\n", mapper.InvalidAccountID, mapper.Error, 1, "quotes"},
		{"a user in mapAccounts", "mapAccounts", "- " + user + "bob\n", mapper.InvalidAccountID, mapper.Error, 1, "write an entry of mapUsers: an account maps every identity in it"},
		{"the ARN of an account", "mapAccounts", "- arn:aws:iam::231144931069:root\n", mapper.InvalidAccountID, mapper.Error, 1, "12 digits"},
		{"an account of 11 digits", "mapAccounts", "- 12345678901\n", mapper.InvalidAccountID, mapper.Error, 1, "12 digits"},
		{"an account with dashes", "mapAccounts", "- 2311-4493-1069\n", mapper.InvalidAccountID, mapper.Error, 1, `write it as "231144931069"`},
		{"an account that is text", "mapAccounts", "- all\n", mapper.InvalidAccountID, mapper.Error, 1, "12 digits"},
		{"an account in base64", "mapAccounts", "- !!binary 123456789012\n", mapper.InvalidAccountID, mapper.Error, 1, "12 digits"},
		{"an account that is null", "mapAccounts", "-\n", mapper.InvalidAccountID, mapper.Error, 1, "12 digits"},
		{"a syntax error", "mapRoles", alice + "- rolearn: [\n", mapper.SectionSyntax, mapper.Error, 3, ""},
		{"a template that is not quoted", "mapRoles", alice + "- rolearn: " + role + "B\n  username: {{SessionName}}\n", mapper.SectionSyntax, mapper.Error, 4, `quote the value: username: "{{SessionName}}"`},
		{"an unquoted template with text after it", "mapRoles", alice + "- rolearn: " + role + "B\n  username: {{SessionName}}:x\n", mapper.SectionSyntax, mapper.Error, 4, `quote the value: username: "{{SessionName}}:x"`},
		{"a tab", "mapRoles", alice + "- rolearn: " + role + "B\n\tusername: b\n", mapper.SectionSyntax, mapper.Error, 4, "tabs"},
		{"a map instead of a list", "mapRoles", "rolearn: " + role + "B\nusername: b\n", mapper.SectionNotList, mapper.Error, 1, "- "},
		{"text instead of a list", "mapUsers", "nobody", mapper.SectionNotList, mapper.Error, 1, "- "},

		{"a group that is null", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups:\n  - a\n  -\n", mapper.GroupEmpty, mapper.Error, 7, "remove"},
		{"a group that is a number", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: [5]\n", mapper.GroupNotText, mapper.Error, 5, "quotes"},
		{"a group that is too long", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: [" + strings.Repeat("g", 1025) + "]\n", mapper.GroupTooLong, mapper.Error, 5, "shorter"},
		{"a username that is too long", "mapRoles", alice + "- rolearn: " + role + "B\n  username: {{SessionName}}" + strings.Repeat("b", 1025) + "\n", mapper.SectionSyntax, mapper.Error, 4, "quote"},
		{"a username that is too long, in quotes", "mapRoles", alice + "- rolearn: " + role + "B\n  username: '{{SessionName}}" + strings.Repeat("b", 1025) + "'\n", mapper.EntryTooLong, mapper.Error, 4, "shorter"},
		{"an ARN that is too long", "mapRoles", alice + "- rolearn: " + role + strings.Repeat("b", 2048) + "\n", mapper.EntryTooLong, mapper.Error, 3, "one user or role"},
		{"an ARN that is null", "mapRoles", alice + "- rolearn:\n  username: b:{{SessionName}}\n", mapper.EntryNoARN, mapper.Error, 3, "write the ARN after rolearn:"},
		{"an ARN that is empty", "mapUsers", "- userarn: ''\n  username: b\n", mapper.EntryNoARN, mapper.Error, 1, "write the ARN after userarn:"},
		{"a placeholder with spaces", "mapRoles", alice + "- rolearn: " + role + "B\n  username: 'b:{{ SessionName }}'\n", mapper.EntryTemplate, mapper.Error, 4, "write {{SessionName}}"},
		{"a placeholder in lower case", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{sessionname}}\n", mapper.EntryTemplate, mapper.Error, 4, "write {{SessionName}}"},
		{"a value of Helm", "mapRoles", alice + "- rolearn: " + role + "B\n  username: 'b:{{ .Values.name }}'\n", mapper.EntryTemplate, mapper.Error, 4, "Helm"},
		{"a value of Helm in an ARN", "mapRoles", alice + "- rolearn: " + role + "{{ .Values.role }}\n  username: b:{{SessionName}}\n", mapper.ARNMatchesNobody, mapper.Error, 3, "fill it in"},
		{"a shell's variable in an ARN", "mapRoles", alice + "- rolearn: arn:aws:iam::${ACCOUNT}:role/B\n  username: b:{{SessionName}}\n", mapper.ARNMatchesNobody, mapper.Error, 3, "fill it in"},
		{"a shell's command in an ARN", "mapRoles", alice + "- rolearn: $(role_arn)\n  username: b:{{SessionName}}\n", mapper.EntryInvalidARN, mapper.Error, 3, "fill it in"},
		{"a statement of Jinja in a group", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: ['{% if x %}']\n", mapper.Unfilled, mapper.Warning, 5, "name itself"},
		{"a placeholder of documentation in a username", "mapRoles", alice + "- rolearn: " + role + "B\n  username: <name>:{{SessionName}}\n", mapper.Unfilled, mapper.Warning, 4, "name itself"},
		{"a wildcard in a group", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: ['team-*']\n", mapper.Wildcard, mapper.Warning, 5, "whole name"},
		{"a curly quote in a username", "mapRoles", alice + "- rolearn: " + role + "B\n  username: “b:{{SessionName}}”\n", mapper.OddCharacter, mapper.Warning, 4, "remove"},
		{"an invisible space in a group", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: [\"team\u200b\"]\n", mapper.OddCharacter, mapper.Warning, 5, "remove"},
		{"a space at the end of a group", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: ['team ']\n", mapper.OddCharacter, mapper.Warning, 5, "remove"},
		{"no line groups:", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n    - people\n", mapper.GroupsFolded, mapper.Error, 4, "write groups: on a line"},
		{"an entry in the groups of another", "mapRoles", alice + "  groups:\n  - people\n  - rolearn: " + role + "B\n    username: b:{{SessionName}}\n", mapper.EntryInGroups, mapper.Error, 5, "indent"},
		{"a group indented like an entry", "mapRoles", alice + "  groups:\n- people\n", mapper.GroupOutdented, mapper.Error, 4, "below groups:"},
		{"a field that is nearly right", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  grops: [people]\n", mapper.UnknownField, mapper.Warning, 5, "write groups"},
		{"a ClusterRole instead of a group", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: [system:basic-user]\n", mapper.SystemGroup, mapper.Warning, 5, "bind it to the ClusterRole"},
		{"a ClusterRole instead of a group with a similar name", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: [system:node]\n", mapper.SystemGroup, mapper.Warning, 5, "write system:nodes"},
		{"mapGroups", "mapGroups", "[]", mapper.UnknownSection, mapper.Warning, 0, "mapUsers"},
		{"mapRole", "mapRole", alice, mapper.UnknownSection, mapper.Warning, 0, "mapRoles"},
		{"map_users", "map_users", "[]", mapper.UnknownSection, mapper.Warning, 0, "mapUsers"},
		{"a permission set that is null", "mapRoles", alice + "- sso: {permissionSetName: null, accountID: '231144931069'}\n  username: b:{{SessionName}}\n", mapper.EntryInvalidSSO, mapper.Error, 3, "permissionSetName"},
		{"a field twice", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: [a]\n  Groups: [b]\n", mapper.RepeatedField, mapper.Warning, 6, "remove"},
		{"a merge key", "mapRoles", alice + "- <<: {groups: [a]}\n  rolearn: " + role + "B\n  username: b:{{SessionName}}\n", mapper.MergeKey, mapper.Error, 3, "write the fields"},
		{"the same role twice", "mapRoles", alice + "- rolearn: " + role + "alice\n  username: alice:{{SessionName}}\n", mapper.DuplicateEntry, mapper.Warning, 1, "remove"},
		{"the same account twice", "mapAccounts", "- '231144931069'\n- '231144931069'\n", mapper.DuplicateEntry, mapper.Warning, 1, "remove"},
		{"a role's path", "mapRoles", alice + "- rolearn: " + role + "team/B\n  username: b:{{SessionName}}\n", mapper.RolePath, mapper.Warning, 3, "write " + role + "B"},
		{"a role of IAM Identity Center without its suffix", "mapRoles", alice + "- rolearn: " + role + "AWSReservedSSO_B\n  username: b:{{SessionName}}\n", mapper.SSOSuffix, mapper.Warning, 3, "or sso: {permissionSetName"},
		{"a role of IAM Identity Center with half of its suffix", "mapRoles", alice + "- rolearn: " + role + "awsreservedsso_B_01234567\n  username: b:{{SessionName}}\n", mapper.SSOSuffix, mapper.Warning, 3, "whole name"},
		{"no username", "mapRoles", alice + "- rolearn: " + role + "B\n  groups: [people]\n", mapper.NoUsername, mapper.Warning, 3, "username"},
		{"a user under mapRoles", "mapRoles", alice + "- rolearn: " + user + "bob\n  username: bob\n", mapper.WrongSection, mapper.Warning, 3, "move the entry to mapUsers, with userarn instead of rolearn"},
		{"an unknown field", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  group: [people]\n", mapper.UnknownField, mapper.Warning, 5, "groups"},
		{"one username for all", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b\n", mapper.SharedUsername, mapper.Warning, 4, "{{SessionName}}"},
		{"a node's name for a user", "mapUsers", "- userarn: " + user + "bob\n  username: system:node:{{EC2PrivateDNSName}}\n", mapper.NodeNameOnUserRole, mapper.Warning, 2, "role"},
		{"a group that Kubernetes does not have", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: [system:master]\n", mapper.SystemGroup, mapper.Warning, 5, "system:masters"},
		{"two groups in one with a comma", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: ['system:bootstrappers,system:nodes']\n", mapper.SystemGroup, mapper.Warning, 5, "each group on a line of its own"},
		{"a second document", "mapRoles", alice + "---\n" + alice, mapper.SecondDocument, mapper.Warning, 3, "---"},
		{"a second document after an empty one", "mapUsers", "# users\n---\n# none\n---\n[]\n", mapper.SecondDocument, mapper.Warning, 4, "---"},
		{"a second document that does not parse", "mapRoles", alice + "...\n---\n[\n", mapper.SecondDocument, mapper.Warning, 3, "---"},
		{"a section misspelt", "maproles", alice, mapper.UnknownSection, mapper.Warning, 0, "mapRoles"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// A section that does not parse keeps this content.
			last := awsauth.Parse(map[string]string{"mapRoles": alice}, nil, options())
			data := map[string]string{"mapRoles": alice}
			data[test.section] = test.text
			result := awsauth.Parse(data, last, options())
			if len(result.Problems) != 1 {
				t.Fatalf("%d problems, want one: %v", len(result.Problems), result.Problems)
			}
			problem := result.Problems[0]
			if problem.Code != test.code || problem.Severity != test.severity || problem.Section != test.section {
				t.Errorf("reported %s %s in %s, want %s %s in %s", problem.Severity, problem.Code, problem.Section, test.severity, test.code, test.section)
			}
			if test.line > 0 && problem.Line != test.line {
				t.Errorf("reported in line %d, want %d", problem.Line, test.line)
			}
			if !strings.Contains(problem.Fix, test.fix) || problem.Fix == "" {
				t.Errorf("the fix is %q, want %q in it", problem.Fix, test.fix)
			}
			if got := username(t, result, mappertest.Role(t, "Alice", "x")); got != "alice:x" {
				t.Errorf("alice is %q", got)
			}
			dropped := problem.Severity == mapper.Error && !strings.HasPrefix(string(problem.Code), "Group")
			if got := username(t, result, mappertest.Role(t, "B", "x")); got != "" && dropped {
				t.Errorf("the invalid entry applies: %q", got)
			}
		})
	}
}
