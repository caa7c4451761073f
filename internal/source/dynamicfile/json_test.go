package dynamicfile_test

import (
	"encoding/json"
	"testing"

	"github.com/kube-iam/authenticator/internal/source/dynamicfile"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// TestJSON reads usernames that YAML would refuse or read otherwise.
func TestJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`"\ud83d\ude00"`, `"\uD83D\uDE00x"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83d\ud83d\ude00"`, `"\\ud83d\\"`, `"\\\ud83d\ude00"`,
		"\"a\u2028b\"", "\"a\u0085b\"", "\"a\x7fb\"", "\"a\ufeffb\"", "\"a\uffffb\"", "\"a\xffb\"", `"\/\u00e9é😀\u2028"`,
	} {
		var want string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		read, err := dynamicfile.Parse([]byte("{\n\"mapUsers\": [{\"userarn\": \"arn:aws:iam::231144931069:user/bob\", \"username\": "+text+"}]}"), nil, awsauth.Options{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for entry := range read.Mappings.Table.Entries() {
			if got := entry.Username.String(); got != want {
				t.Errorf("%s: the username is %q, want %q", text, got, want)
			}
		}
		if read.Mappings.Table.Len() != 1 {
			t.Errorf("%s: %v", text, read.Mappings.Problems)
		}
	}
}
