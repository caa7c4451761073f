package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/kube-iam/authenticator/internal/shell"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

// Why returns the command that shows the denials of the lab's authenticator. In a
// cluster of kind, it asks the static pods. The arguments are flags of `authenticator
// why`, and environ is the current environment.
func (i Info) Why(ctx context.Context, environ []string, arguments ...string) *exec.Cmd {
	where := []string{"why", "--state-dir", filepath.Join(i.Dir, provider.AuthenticatorDir)}
	if i.Provider == Kind {
		where = []string{"why", "--kubeconfig", i.Kubeconfig, "--context", administratorContext}
	}
	command := exec.CommandContext(ctx, i.Authenticator, append(where, arguments...)...)
	command.Env = i.Environ(environ)
	return command
}

// maxDrift is the largest difference between the clocks of the lab's AWS and of this
// machine that is not worth a word.
const maxDrift = time.Minute

// WrongClock says that the clock of the lab's AWS differs from that of this machine, and
// which command sets it right; empty if the clocks agree or local AWS does not answer.
func (i Info) WrongClock(ctx context.Context) string {
	now, err := i.awsTime(ctx)
	ahead := time.Until(now).Round(time.Second)
	if err != nil || ahead.Abs() < maxDrift {
		return ""
	}
	differs := ahead.String() + " ahead of"
	if ahead < 0 {
		differs = (-ahead).String() + " behind"
	}
	return "the clock of the lab's AWS is " + differs + " that of this machine, since localaws clock set it: do not set the clock of this machine, but run: localaws clock resume --state-dir " +
		shell.Quote(filepath.Join(i.Dir, awsDir))
}

// awsTime returns the time of the lab's AWS.
func (i Info) awsTime(ctx context.Context) (time.Time, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.AWS+proxy.ControlPrefix+"clock", http.NoBody)
	if err != nil {
		return time.Time{}, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return time.Time{}, fmt.Errorf("asking local AWS for its time: %s", response.Status)
	}
	var clock struct{ Now time.Time }
	err = json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&clock)
	return clock.Now, err
}
