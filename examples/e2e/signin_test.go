package e2e

import (
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab/labtest"
)

func TestOnlyMappedUsersSignIn(t *testing.T) {
	lab := labtest.Start(t, labtest.Config{
		Users:    []labtest.User{{Name: "alice"}, {Name: "mallory"}},
		Mappings: []labtest.Mapping{{User: "alice", Username: "alice", Groups: []string{"developers"}}},
	})
	output, err := lab.User("alice").Command(t.Context(), "kubectl", "auth", "whoami").CombinedOutput()
	if err != nil || !strings.Contains(string(output), "developers") {
		t.Errorf("alice is not a developer: %v\n%s", err, output)
	}
	output, err = lab.User("mallory").Command(t.Context(), "kubectl", "auth", "whoami").CombinedOutput()
	if err == nil || !strings.Contains(string(output), "Unauthorized") {
		t.Errorf("mallory signs in: %v\n%s", err, output)
	}
}
