package edit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// FuzzEdit checks that whatever the text of a section is, a mapping that is added and
// removed leaves every byte as it was, unless the edit is refused.
func FuzzEdit(f *testing.F) {
	for _, text := range mappertest.Data() {
		f.Add(text)
	}
	for _, text := range []string{"", `""`, "[]", "- {userarn: x}\r\n", "[{userarn: x}, # y\n]", "# c", "- &a {userarn: x}\n- *a\n", "- a: |\n    x\n    # y\n\n- b\n", "\t- a", "-\n\n- b", "- a: 'x\n- b'\n", "[{}, # \n]", "[{}, # \n {}]", "[#{}\n]", "\n#\r"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addAndRemove(t, edit.Data{"mapUsers": text}, user(arnBob, "bob:{{SessionName}}", "a", "*"))
		addAndRemove(t, edit.Data{"mapRoles": text}, role(arnAdmin, "{{SessionName}}"))
		addAndRemove(t, edit.Data{"mapAccounts": text}, account("012345678901"))
		removeEach(t, text)
	})
}

// removeEach checks that each mapping of mapUsers can be removed or changed without a
// trace in the others.
func removeEach(t *testing.T, text string) {
	t.Helper()
	d := edit.Data{"mapUsers": text}
	for _, arn := range edit.ARNs(d, "mapUsers") {
		p := edit.Principal{ARN: arn}
		if after, err := edit.Remove(d, p); err == nil {
			if found, err := edit.Find(after, p); err != nil || len(found) > 0 {
				t.Errorf("%s removed from %q: found %v, %v in %q", arn, text, found, err, after)
			}
		}
		if after, err := edit.Set(d, user(arn, "new", "g", "h")); err == nil {
			if found, err := edit.Find(after, p); err != nil || len(found) == 0 || found[0].Username != "new" || strings.Join(found[0].Groups, " ") == "" {
				t.Errorf("%s changed in %q: found %v, %v in %q", arn, text, found, err, after)
			}
		}
	}
}

// FuzzEditFile checks the same for files.
func FuzzEditFile(f *testing.F) {
	cases, err := filepath.Glob("../testdata/cases/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range cases {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content))
	}
	for _, text := range []string{manifest, "", "mapUsers: >\n  [a]\n", "mapUsers: \"- userarn: x\\n\\\n  \\  y: z\\n\"\n", `{"data":{"mapUsers":"[]"}}`, "mapUsers: 'a\n\n  b'\n", "mapUsers: |2-\n   - a\n", "---\n---"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addAndRemove(t, edit.File(text), user(arnBob, "bob:{{SessionName}}", "a", "*"))
		addAndRemove(t, edit.File(text), account("012345678901"))
	})
}
