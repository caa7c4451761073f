package deny

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// role returns a session of role Admin, and user the user bob, each with its key.
func role() identity.Principal {
	return identity.Principal{
		ARN: "arn:aws:sts::111122223333:assumed-role/Admin/alice", CanonicalARN: "arn:aws:iam::111122223333:role/Admin",
		PrincipalID: "AROATLABCDEFGHIJKLMNO", UserID: "AROATLABCDEFGHIJKLMNO:alice", SessionName: "alice", AccessKeyID: "ASIATLABCDEFGHIJKLMN",
	}
}

func user() identity.Principal {
	return identity.Principal{
		ARN: "arn:aws:iam::111122223333:user/div/bob", CanonicalARN: "arn:aws:iam::111122223333:user/div/bob",
		PrincipalID: "AIDATLABCDEFGHIJKLMNO", UserID: "AIDATLABCDEFGHIJKLMNO", AccessKeyID: "AKIATLABCDEFGHIJKLMN",
	}
}

func TestDenies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text       string
		role, user int // the line that denies them
	}{
		{"", 0, 0},
		{"# nobody\n\n", 0, 0},
		{"arn:aws:iam::111122223333:role/Admin", 1, 0},
		{"arn:aws:iam::111122223333:role/ADMIN # left us\n", 1, 0},
		{"arn:aws:iam::111122223333:role/Adm", 0, 0},
		{"arn:aws:iam::111122223334:role/Admin", 0, 0},
		{"\ufeffarn:aws:iam::111122223333:role/Admin\r# of an old editor\rAKIATLABCDEFGHIJKLMN", 1, 3},
		{"# first\r\n\tarn:aws:iam::111122223333:user/div/BOB\r\n", 0, 2},
		{"arn:aws:iam::111122223333:user/bob", 0, 0}, // another user: the path is part of the ARN
		{"AROATLABCDEFGHIJKLMNO\nAIDATLABCDEFGHIJKLMNO", 1, 2},
		{"AKIATLABCDEFGHIJKLMN\nASIATLABCDEFGHIJKLMN", 2, 1},
		{"arn:aws:iam::111122223333:root\narn:aws:sts::111122223333:federated-user/bob", 0, 0},
	} {
		entries, err := parse([]byte(test.text))
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		for _, who := range []struct {
			principal identity.Principal
			line      int
		}{{role(), test.role}, {user(), test.user}} {
			rule, denied := entries.denies(who.principal)
			if rule.Line != who.line || denied != (who.line > 0) || denied && rule.Source != "deny file" {
				t.Errorf("%q denies %s: %v by %+v, want line %d", test.text, who.principal.ARN, denied, rule, who.line)
			}
		}
	}
}

// TestMalformed checks that an entry that would deny no principal, or more than it seems to,
// makes the file invalid, with the place and what to write.
func TestMalformed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"bob":                    `line 1: "bob" is not an entry: expected the ARN of a user or role, a unique ID`,
		"# x\n- AKIAEXAMPLE":     `line 2: "- AKIAEXAMPLE" is not an entry`,
		"akiatlabcdefghijklmn":   "is not an entry",
		"AKIA":                   "is not an entry",
		"AKIATLABCDEFGHIJKLMN x": "is not an entry",
		"arn:aws:iam::1:role/x":  `does not name an account of 12 digits`,
		"arn:aws:sts::111122223333:assumed-role/Admin/alice":                    `line 1: "arn:aws:sts::111122223333:assumed-role/Admin/alice" is the ARN of a session: write arn:aws:iam::111122223333:role/Admin to deny every session`,
		"arn:aws:iam::111122223333:role/team/Admin":                             "has a role path, which AWS never returns, so it would deny nobody: write the ARN that ends in :role/Admin",
		"arn:aws-us-govt:iam::111122223333:role/Admin":                          `would deny nobody: unknown partition "aws-us-govt"`,
		"arn:aws:iam::111122223333:user/div/<bob>":                              `would deny nobody: IAM does not allow '<' in names`,
		"arn:aws:iam::111122223333:role/Adm*":                                   "has a wildcard",
		"arn:aws:iam::111122223333:user/bob,arn:aws:iam::111122223333:user/eve": "has two ARNs: write each on its own line",
		"arn:aws:iam::111122223333:group/admins":                                "is not the ARN of a user, a role",
		strings.Repeat("x", 100_000):                                            "is not an entry",
	} {
		entries, err := parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 500 {
			t.Errorf("%.100s: %d entries, error %.600v; want %q", text, len(entries), err, want)
		}
	}
}

// TestLimit checks that a file with the maximum number of entries is accepted, and one
// with more is not.
func TestLimit(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range maxEntries {
		fmt.Fprintf(&text, "AKIA%016d\n", i)
	}
	if entries, err := parse([]byte(text.String())); err != nil || len(entries) != maxEntries {
		t.Errorf("%d entries, error %v", len(entries), err)
	}
	text.WriteString("AKIAONEMORE000000000\n")
	if _, err := parse([]byte(text.String())); err == nil || !strings.Contains(err.Error(), "line 10001: there are too many entries (at most 10000)") {
		t.Error(err)
	}
}

// FuzzParse checks that no file makes the parser panic, and that every entry of a valid
// file denies the principal that it names.
func FuzzParse(f *testing.F) {
	f.Add("# comment\narn:aws:iam::111122223333:role/Admin\nAKIATLABCDEFGHIJKLMN # leaked\n")
	f.Add("arn:aws-cn:iam::111122223333:user/a/b\r\nAROATLABCDEFGHIJKLMNO")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := parse([]byte(text))
		if err != nil {
			return
		}
		for entry := range entries {
			p := identity.Principal{AccessKeyID: entry}
			if strings.HasPrefix(entry, "arn:") {
				p = identity.Principal{CanonicalARN: strings.ToUpper(entry)}
			}
			if _, denied := entries.denies(p); !denied {
				t.Errorf("%q does not deny %+v", entry, p)
			}
		}
	})
}
