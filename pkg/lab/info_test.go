package lab

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	up := Info{Running: true, PID: 4711, Dir: "/somewhere", Account: Account, Region: Region, Cluster: ClusterName,
		OwnerARN: "arn:aws:iam::231144931069:role/Owner", Endpoint: "https://127.0.0.1:6443", AWS: "http://127.0.0.1:4566",
		Webhook: "https://127.0.0.1:21362", Kubeconfig: "/somewhere/kubeconfig", Assets: "/k8s", Authenticator: "/bin/authenticator", StartSeconds: 3.9}
	for name, test := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    Info
		ready   string // "" if it is
	}{
		"no directory": {prepare: func(*testing.T, string) {}, ready: "(lab up --dir "},
		"never a lab":  {prepare: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "x"), "") }, ready: "(lab up --dir "},
		"up":           {prepare: func(t *testing.T, dir string) { publish(t, dir, up) }, want: up},
		"coming up":    {prepare: func(t *testing.T, dir string) { publish(t, dir, Info{PID: 4711}) }, want: Info{PID: 4711}, ready: "it is still coming up (process 4711)"},
		"came up":      {prepare: func(t *testing.T, dir string) { publish(t, dir, Info{PID: 4711}, up) }, want: up},
		"ended": {prepare: func(t *testing.T, dir string) {
			if err := publish(t, dir, up).withdraw(); err != nil {
				t.Fatal(err)
			}
		}, ready: "(lab up --dir "},
		// Process 1 runs: a recorded PID alone proves nothing.
		"killed":                {prepare: func(t *testing.T, dir string) { write(t, filepath.Join(dir, infoFile), `{"running":true,"pid":1}`) }, ready: "(lab up --dir "},
		"killed while it wrote": {prepare: func(t *testing.T, dir string) { write(t, filepath.Join(dir, newInfoFile), `{"runn`) }, ready: "(lab up --dir "},
		"of a full disk":        {prepare: func(t *testing.T, dir string) { write(t, filepath.Join(dir, infoFile), "") }, ready: "(lab up --dir "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(privatetest.Path(t), "lab")
			test.prepare(t, dir)
			if test.ready != "" && test.want.PID == 0 {
				test.want.Dir = dir
			}
			info, err := Status(dir)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, info); diff != "" {
				t.Errorf("Status (-want +got):\n%s", diff)
			}
			_, err = Open(dir)
			switch {
			case test.ready == "" && err != nil:
				t.Errorf("Open: %v", err)
			case test.ready != "" && (!errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), test.ready)):
				t.Errorf("Open: %v, want ErrNotRunning and %q", err, test.ready)
			}
		})
	}
}

// publish publishes descriptions one after the other, as a lab in this process.
func publish(t *testing.T, dir string, infos ...Info) *claim {
	t.Helper()
	claim := claimed(t, dir)
	for _, info := range infos {
		if err := claim.publish(info); err != nil {
			t.Fatal(err)
		}
	}
	return claim
}
