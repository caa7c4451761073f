package awsauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// TestUserIDs checks how an entry of mapRoles is read that matches by its userid.
func TestUserIDs(t *testing.T) {
	t.Parallel()
	const arn = `"rolearn": "arn:aws:iam::111122223333:role/`
	for name, test := range map[string]struct {
		entry string
		want  string // ID, ARN and inertness of the entry
		codes string
	}{
		"both":                  {arn + `Admin", "userid": "AROA1", "username": "a:{{SessionName}}"`, "AROA1 arn:aws:iam::111122223333:role/Admin ", "[]"},
		"in any case":           {`"RoleArn": "", "UserID": "AROA1", "username": "a:{{SessionName}}"`, "AROA1  ", "[]"},
		"the ID alone":          {`"userid": "AROA1", "username": "a:{{SessionName}}"`, "AROA1  ", "[]"},
		"a path":                {arn + `team/Admin", "userid": "AROA1", "username": "a:{{SessionName}}"`, "AROA1 arn:aws:iam::111122223333:role/team/Admin ", "[]"},
		"the ID of a root":      {`"userid": "111122223333", "username": "a:{{SessionName}}"`, "111122223333  ", "[]"},
		"no ID":                 {arn + `Admin", "username": "a:{{SessionName}}"`, "", "[EntryNoUserID]"},
		"an empty ID":           {arn + `Admin", "userid": "", "username": "a:{{SessionName}}"`, "", "[EntryNoUserID]"},
		"an ID with a space":    {arn + `Admin", "userid": "AROA1 ", "username": "a:{{SessionName}}"`, "", "[EntryWrongUserID]"},
		"a long ID":             {`"userid": "` + strings.Repeat("A", 129) + `", "username": "a:{{SessionName}}"`, "", "[EntryWrongUserID]"},
		"a number":              {`"userid": 111122223333, "username": "a:{{SessionName}}"`, "", "[EntryWrongUserID]"},
		"a malformed ARN":       {`"rolearn": "not-an-arn", "userid": "AROA1", "username": "a:{{SessionName}}"`, "", "[EntryInvalidARN]"},
		"white space":           {arn + `Admin ", "userid": "AROA1", "username": "a:{{SessionName}}"`, "AROA1 arn:aws:iam::111122223333:role/Admin WhiteSpace", "[ARNMatchesNobody]"},
		"an assumed role":       {`"rolearn": "arn:aws:sts::111122223333:assumed-role/Admin/x", "userid": "AROA1", "username": "a:{{SessionName}}"`, "AROA1 arn:aws:iam::111122223333:role/Admin AssumedRole", "[AssumedRole]"},
		"neither ARN nor name":  {`"userid": "AROA1"`, "", "[NoUsername]"},
		"a permission set":      {`"sso": {"permissionSetName": "A", "accountID": "111122223333"}, "userid": "AROA1", "username": "a:{{SessionName}}"`, "", "[EntryWrongField]"},
		"the ID of another one": {arn + `Admin", "userid": "AROA1", "userid": "AROA2", "username": "a:{{SessionName}}"`, "AROA2 arn:aws:iam::111122223333:role/Admin ", "[RepeatedField]"},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := awsauth.ParseFile([]byte(`{"mapRoles": [{`+test.entry+`}]}`), nil, awsauth.Options{UserIDs: true, AssumedRoles: awsauth.AssumedRolesAsRole})
			if err != nil {
				t.Fatal(err)
			}
			var got string
			for entry := range result.Table.Entries() {
				got = fmt.Sprintf("%s %s %s", entry.UserID, entry.ARN, entry.Inert)
			}
			codes := []mapper.Code{}
			for _, problem := range result.Problems {
				codes = append(codes, problem.Code)
			}
			if got != test.want || fmt.Sprint(codes) != test.codes {
				t.Errorf("%q with %v, want %q with %s", got, codes, test.want, test.codes)
			}
		})
	}
	// Without the option, userid has no effect.
	result, err := awsauth.ParseFile([]byte(`{"mapRoles": [{`+arn+`Admin", "userid": "AROA1", "username": "a:{{SessionName}}"}]}`), nil, awsauth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for entry := range result.Table.Entries() {
		if entry.UserID != "" {
			t.Errorf("%+v has a unique ID", entry)
		}
	}
}

// TestRepeatedUserID checks that two ARNs with one ID are not told as one ARN in two cases.
func TestRepeatedUserID(t *testing.T) {
	const entries = `{"mapUsers": [{"userarn": "` + user + `x", "userid": "AIDA1", "username": "a"}, {"userarn": "` + user + `y", "userid": "AIDA1", "username": "b"}]}`
	result, err := awsauth.ParseFile([]byte(entries), nil, awsauth.Options{UserIDs: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Problems) != 1 || result.Problems[0].Code != mapper.DuplicateEntry || strings.Contains(result.Problems[0].Message, "another case") {
		t.Errorf("problems: %+v", result.Problems)
	}
}
