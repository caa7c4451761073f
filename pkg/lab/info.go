package lab

import (
	"errors"
	"fmt"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
	"github.com/kube-iam/authenticator/pkg/lab/internal/process"
)

// Info describes a lab. `lab status` prints it.
type Info struct {
	// Running reports whether all of the lab is ready.
	Running bool   `json:"running"`
	Dir     string `json:"dir"`
	// Complete reports whether the directory has all files of a lab that was ready, even if
	// it is coming up again or was killed.
	Complete bool `json:"complete,omitempty"`
	// PID is the lab's process. If it is set but Running is not, the lab is coming up.
	PID int `json:"pid,omitempty"`
	// ProcessStarted and Executable identify the lab's process beside its PID.
	ProcessStarted string `json:"processStarted,omitempty"`
	Executable     string `json:"executable,omitempty"`
	// User is the name of the user who started the lab, and Since when.
	User  string    `json:"user,omitempty"`
	Since time.Time `json:"since,omitzero"`

	// Provider is [Envtest] or [Kind].
	Provider string `json:"provider,omitempty"`
	// ControlPlanes and Nodes are the numbers of nodes of the provider [Kind].
	ControlPlanes int `json:"controlPlanes,omitempty"`
	Nodes         int `json:"nodes,omitempty"`

	Account  string `json:"account,omitempty"`
	Region   string `json:"region,omitempty"`
	Cluster  string `json:"cluster,omitempty"`
	OwnerARN string `json:"clusterOwnerARN,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	AWS      string `json:"aws,omitempty"`
	Webhook  string `json:"webhook,omitempty"`

	Kubeconfig string `json:"kubeconfig,omitempty"`
	// OwnerKubeconfig is a kubeconfig that signs in as the cluster's owner, with IAM.
	OwnerKubeconfig string `json:"ownerKubeconfig,omitempty"`
	Assets          string `json:"assets,omitempty"`
	Authenticator   string `json:"authenticator,omitempty"`
	// StartSeconds is how long the lab took to be ready.
	StartSeconds float64 `json:"startSeconds,omitempty"`

	// Parts are the programs or containers of the cluster. Only [Inspect] finds out
	// which of them run now.
	Parts []Part `json:"parts,omitempty"`
	// Left is what a killed lab left. Only [Inspect] sets it.
	Left *Left `json:"left,omitempty"`
}

const (
	// kubeconfigFile is the kubeconfig for the users of the lab.
	kubeconfigFile = "kubeconfig"
	// administratorContext is the name of the context for step 4 of the story.
	administratorContext = "administrator"
)

// owner returns whose lab it is, such as "alice, process 4711, up since 2026-11-28 22:49:05".
func (i Info) owner() string {
	text := fmt.Sprintf("process %d", i.PID)
	if i.User != "" {
		text = i.User + ", " + text
	}
	if !i.Since.IsZero() {
		text += ", up since " + i.Since.Local().Format(time.DateTime)
	}
	return text
}

// identity returns the identity of the lab's process.
func (i Info) identity() process.Identity {
	return process.Identity{PID: i.PID, Started: i.ProcessStarted, Executable: i.Executable}
}

// open opens the lab's directory.
func (i Info) open() (*private.Dir, error) {
	dir, err := private.Open(i.Dir)
	if err != nil {
		return nil, refused(err)
	}
	return dir, nil
}

// ErrNotRunning means that no lab runs in the directory.
var ErrNotRunning = errors.New("no lab is running")

// Status returns the description of the lab in dir, whether it runs or not.
func Status(dir string) (Info, error) {
	info, ok, err := published(dir)
	if err != nil || !ok {
		return Info{Dir: dir}, err
	}
	return info, nil
}

// Open returns the description of the lab that runs in dir, or [ErrNotRunning] if
// none does.
func Open(dir string) (Info, error) {
	info, err := Status(dir)
	if err != nil {
		return info, err
	}
	return info, info.Ready()
}

// Ready returns nil if the lab runs with all of its parts, and otherwise an error with the
// remedy, which is [ErrNotRunning] if no lab runs.
func (i Info) Ready() error {
	switch {
	case i.Running:
		return i.ended()
	case i.PID != 0:
		return fmt.Errorf("%w in %s: it is still coming up (process %d)", ErrNotRunning, i.Dir, i.PID)
	default:
		return fmt.Errorf("%w in %s (%s)", ErrNotRunning, i.Dir, i.remedy())
	}
}
