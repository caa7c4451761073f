//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	decisionlog "github.com/kube-iam/authenticator/internal/decisions"
)

// TestWhyWatchesPods watches the denials of the authenticator's pods through kubectl exec:
// one that comes is printed, and no process of the watch stays in the pod.
func TestWhyWatchesPods(t *testing.T) {
	onKind(t)
	plane := controlPlane(t)
	stranger := newUser(t, "stranger")
	s := newShell(t, awsCLIs(t)[0])
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	watch := s.command(ctx, suite.Info().Authenticator, "why", "--watch", "--namespace", "kube-system", "--output", "json")
	var said bytes.Buffer
	watch.Stderr = &said
	watch.Cancel = func() error { return watch.Process.Signal(os.Interrupt) }
	output, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "a watch in the pod", func() bool { return watchesIn(plane) > 0 })

	if err := newBearer(t, stranger).signIn(t.Context()); !unauthorized(err) {
		t.Errorf("the stranger is answered %v", err)
	}
	found := false
	for lines := bufio.NewScanner(output); !found && lines.Scan(); {
		var denial decisionlog.Entry
		if err := json.Unmarshal(lines.Bytes(), &denial); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		found = denial.Outcome == "unmapped" && strings.HasSuffix(denial.CanonicalARN, ":user/"+stranger.user)
	}
	if !found {
		t.Errorf("the denial is not printed: %s", said.String())
	}
	stop()
	_ = watch.Wait() // it was interrupted
	eventually(t, time.Minute, "no watch in the pod", func() bool { return watchesIn(plane) == 0 })
}

// watchesIn returns how many processes of a watch run on a node. Some may end meanwhile.
func watchesIn(n node) int {
	commands, _ := n.try("sh", "-c", "cat /proc/[0-9]*/cmdline; true")
	return strings.Count(commands, "--until-stdin-ends")
}
