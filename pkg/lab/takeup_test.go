package lab

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

// TestTakeUp checks what of a killed lab stays, and that its programs are ended in any
// case.
func TestTakeUp(t *testing.T) {
	t.Parallel()
	killed := Info{
		Complete: true, Provider: Envtest, PID: 4711, User: "alice",
		Endpoint: "https://127.0.0.1:6443", AWS: "http://127.0.0.1:4566", Webhook: "https://127.0.0.1:21362", OwnerARN: "arn:aws:iam::231144931069:role/Owner",
	}
	never, ofContainers := killed, killed
	never.Complete = false
	ofContainers.Provider = Kind // and of a version that did not record the nodes
	ofNodes := ofContainers
	ofNodes.ControlPlanes, ofNodes.Nodes = 1, 2
	for name, test := range map[string]struct {
		killed   *Info
		provider string
		users    []User
		takesUp  bool
	}{
		"ready":                   {&killed, Envtest, nil, true},
		"never ready":             {&never, Envtest, nil, false},
		"of containers":           {&ofContainers, Kind, nil, false},
		"of nodes":                {&ofNodes, Kind, nil, true},
		"of another provider":     {&killed, Kind, nil, false},
		"it ended or never began": {nil, Envtest, nil, false},
		"with users to create":    {&killed, Envtest, []User{{Name: "alice"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := privatetest.Path(t)
			write(t, filepath.Join(dir, lockFile), "")
			write(t, filepath.Join(dir, awsDir, "state.json"), "{}")
			if test.killed != nil {
				text, err := json.Marshal(test.killed)
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, infoFile), string(text))
			}
			etcd := start(t, "echo", "etcd", "--data-dir="+filepath.Join(dir, "etcd"))
			etcd.lives(t)
			record(t, dir, etcd)
			var progress bytes.Buffer
			lab := &Lab{config: Config{Provider: test.provider, Kind: KindConfig{Nodes: 2}, Users: test.users, Progress: &progress}, claim: claimed(t, dir)}
			lab.dir = lab.claim.dir
			if err := lab.takeUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-etcd.ended
			if lab.takesUp() != test.takesUp || slices.Contains(files(t, dir), awsDir) != test.takesUp {
				t.Errorf("it takes up: %v, and there remain %q, want %v", lab.takesUp(), files(t, dir), test.takesUp)
			}
			says := strings.Contains(progress.String(), "lab: resuming the lab that was killed (alice, process 4711); to start from scratch, run lab down --dir "+dir+" first\n")
			if says != test.takesUp {
				t.Errorf("it says %q", &progress)
			}
		})
	}
}

// TestTakeUpOtherNodes checks that a cluster with other nodes is not taken up, and stays.
func TestTakeUpOtherNodes(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	if err := publish(t, dir, Info{Complete: true, Provider: Kind, ControlPlanes: 1, Nodes: 2}).release(); err != nil {
		t.Fatal(err)
	}
	lab := &Lab{config: Config{Provider: Kind, Kind: KindConfig{Nodes: 1}, Progress: &bytes.Buffer{}}, claim: claimed(t, dir)}
	lab.dir = lab.claim.dir
	err := lab.takeUp(t.Context())
	if err == nil || !strings.Contains(err.Error(), "use --control-planes 1 --nodes 2") || !strings.Contains(err.Error(), "run lab down --dir "+dir+" first)") {
		t.Errorf("takeUp = %v", err)
	}
	if err := lab.stop(); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(files(t, dir), infoFile) {
		t.Error("the killed lab's files are gone")
	}
}

// TestTakeUpAgain checks that a lab that could not be taken up can be taken up later, with
// the same addresses.
func TestTakeUpAgain(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	killed := Info{Running: true, Complete: true, Provider: Envtest, Endpoint: "https://127.0.0.1:6443", AWS: "http://127.0.0.1:4566", Webhook: "https://127.0.0.1:21362", OwnerARN: "owner"}
	if err := publish(t, dir, killed).release(); err != nil {
		t.Fatal(err)
	}
	lab := &Lab{config: Config{Provider: Envtest, Progress: &bytes.Buffer{}}, claim: claimed(t, dir)}
	lab.dir = lab.claim.dir
	lab.info.Provider = Envtest
	if err := lab.takeUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := lab.claim.publish(lab.info); err != nil { // as a lab does before it starts anything
		t.Fatal(err)
	}
	if err := lab.stop(); err != nil { // as after a failure
		t.Fatal(err)
	}
	want := killed
	want.Running = false
	again, ok, err := abandoned(privatetest.Open(t, dir))
	if diff := cmp.Diff(want, again); !ok || err != nil || diff != "" {
		t.Errorf("abandoned = %v, %v (-want +got):\n%s", ok, err, diff)
	}
	if !again.canBeTakenUp() {
		t.Error("it cannot be taken up again")
	}
}
