//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/e2e/internal/document"
)

// TestOperationsOnNode runs the commands of docs/operations.md for a control-plane node
// there, as typed, after somebody was refused.
func TestOperationsOnNode(t *testing.T) {
	onKind(t)
	page, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := newBearer(t, newUser(t, "refused")).signIn(t.Context()); !unauthorized(err) {
		t.Fatalf("who is not mapped is answered %v", err)
	}
	plane := controlPlane(t)
	prints := map[string][]string{
		"Paged? Three commands":        {`(?m)^ok$`, `access denied.* outcome=unmapped`, `authenticate_latency_seconds_count\{result="unmapped"\} [1-9]`},
		"No line in the log":           {`Unable to authenticate the request`},
		"AuthenticatorAbsent":          {`(?m)^(aws-iam-)?authenticator-\S+ +1/1 +Running`},
		"AuthenticatorMappingProblems": nil, // there may be no event
	}
	for _, heading := range document.OnNode() {
		script := document.Commands(string(page), heading)
		if script == "" {
			t.Errorf("%q has no commands", heading)
		}
		var output string
		for _, pattern := range append(prints[heading], "") {
			eventually(t, time.Minute, heading+" prints "+pattern, func() bool {
				output, err = plane.try("sh", "-e", "-c", script)
				return err == nil && regexp.MustCompile(pattern).MatchString(output)
			})
		}
		t.Logf("%s:\n%s", heading, output)
	}
}
