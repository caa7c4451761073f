package provider

import (
	"os"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

func TestTail(t *testing.T) {
	t.Parallel()
	dir := privatetest.Open(t, privatetest.Path(t))
	if got := Tail(dir, "log"); !strings.Contains(got, "log: no such file") {
		t.Errorf("tail of no file = %q", got)
	}
	for text, want := range map[string]string{
		"":           "",
		"one\ntwo\n": "one\ntwo",
		"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n": "3\n4\n5\n6\n7\n8\n9\n10\n11\n12",
	} {
		if err := os.WriteFile(dir.Path("log"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Tail(dir, "log"); got != want {
			t.Errorf("tail of %q = %q, want %q", text, got, want)
		}
	}
}
