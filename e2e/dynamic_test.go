//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// dynamicFile returns a DynamicFile that maps a user with a unique ID.
func dynamicFile(name, userID string) string {
	return fmt.Sprintf(`{"Version": "1", "LastUpdatedDateTime": "%d", "mapUsers": [{"userarn": "arn:aws:iam::231144931069:user/%s", "userid": %q, "username": "entry:%s", "groups": ["dev"]}]}`,
		time.Now().Unix(), name, userID, name)
}

// replaceFile replaces a file at once, as a control plane does.
func replaceFile(path, content string) error {
	return errors.Join(os.WriteFile(path+".new", []byte(content), 0o600), os.Rename(path+".new", path))
}

// TestDynamicFile signs in by an access entry that the control plane hands over in a
// file. An entry for another unique ID does not let the user in.
func TestDynamicFile(t *testing.T) {
	user := newUser(t, "handed-over")
	s := signIn(t, "")
	user.configure(s)
	token := s.bearerToken("kubedemy")
	entries := s.write("entries.json", dynamicFile("handed-over", "unknown"))
	arguments := []string{"server", "--cluster-id=kubedemy", "--backend-mode=DynamicFile", "--dynamic-file=" + entries}
	byARN := serve(s, arguments...).review(token)
	if byARN.User.Username != "entry:handed-over" || strings.Join(byARN.User.Groups, ",") != "dev" {
		t.Fatalf("by ARN: %+v", byARN)
	}
	_, userID, _ := strings.Cut(strings.TrimPrefix(byARN.User.UID, "aws-iam-authenticator:"), ":")
	strict := serve(s, append(arguments, "--dynamic-file-user-id-strict")...)
	if status := strict.review(token); status.Authenticated {
		t.Errorf("with another unique ID: %+v", status)
	}
	for _, step := range []struct {
		content string
		isIn    bool
	}{{dynamicFile("handed-over", userID), true}, {dynamicFile("somebody-else", userID), false}, {dynamicFile("handed-over", userID), true}} {
		if err := replaceFile(entries, step.content); err != nil {
			t.Fatal(err)
		}
		eventually(t, watchDelay, fmt.Sprintf("signed in: %v", step.isIn), func() bool { return strict.review(token).Authenticated == step.isIn })
	}
	if err := os.Remove(entries); err != nil {
		t.Fatal(err)
	}
	eventually(t, watchDelay, "revoked", func() bool { return !strict.review(token).Authenticated })
}

// TestBackendModeSwitched switches the backend mode while a user signs in all the time:
// no answer is wrong.
func TestBackendModeSwitched(t *testing.T) {
	user := newUser(t, "switched")
	s := signIn(t, "")
	user.configure(s)
	entries := s.write("entries.json", dynamicFile("switched", "unknown"))
	mode := func(backends string) string {
		return fmt.Sprintf(`{"Version": "1", "LastUpdatedDateTime": "%d", "backendMode": %q}`, time.Now().Unix(), backends)
	}
	path := s.write("mode.json", mode("DynamicFile"))
	admin := newShell(t, awsCLIs(t)[0]) // not signed in as the user
	server := serve(s, "server", "--cluster-id=kubedemy", "--backend-mode=DynamicFile", "--dynamic-file="+entries,
		"--dynamic-backend-mode-file="+path, "--kubeconfig="+accountOfTheManifests(admin))
	token := s.bearerToken("kubedemy")
	reviews, wrong := 0, 0
	review := func() {
		reviews++
		if status := server.review(token); status.User.Username != "entry:switched" {
			wrong++
			t.Errorf("review %d: %+v", reviews, status)
		}
	}
	review()
	for range 3 {
		for backends, only := range map[string]float64{"EKSConfigMap DynamicFile": 0, "DynamicFile": 1} {
			if err := replaceFile(path, mode(backends)); err != nil {
				t.Fatal(err)
			}
			eventually(t, watchDelay, backends, func() bool {
				for range 20 {
					review()
				}
				return server.metric("dynamic_file_only") == only
			})
		}
	}
	if err := replaceFile(path, mode("DynamicFile Unknown")); err != nil {
		t.Fatal(err)
	}
	eventually(t, watchDelay, "an unknown mode is reported", func() bool {
		review()
		return server.metric("dynamicfile_failures_total") > 0
	})
	t.Logf("%d reviews, %d wrong", reviews, wrong)
}
