package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const infoFile = "lab.json"

// Info describes a running lab: it is what `lab status` prints.
type Info struct {
	Running bool   `json:"running"`
	Dir     string `json:"dir"`
	PID     int    `json:"pid,omitempty"`

	Account  string `json:"account,omitempty"`
	Region   string `json:"region,omitempty"`
	Cluster  string `json:"cluster,omitempty"`
	OwnerARN string `json:"clusterOwnerARN,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	AWS      string `json:"aws,omitempty"`
	Webhook  string `json:"webhook,omitempty"`

	Kubeconfig string `json:"kubeconfig,omitempty"`
	Assets     string `json:"assets,omitempty"`
	Programs   string `json:"programs,omitempty"`
	// StartSeconds is how long the lab took to be ready.
	StartSeconds float64 `json:"startSeconds,omitempty"`
}

func (i Info) write(dir string) error {
	text, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the lab's description: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, infoFile), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the lab's description: %w", err)
	}
	return nil
}

// ErrNotRunning means that no lab runs in the directory.
var ErrNotRunning = errors.New("no lab is running")

// Status describes the lab in dir, whether it runs or not.
func Status(dir string) (Info, error) {
	pid, err := holder(dir)
	if err != nil || pid == 0 {
		return Info{Dir: dir}, err
	}
	info := Info{Dir: dir, PID: pid}
	text, err := os.ReadFile(filepath.Join(dir, infoFile))
	if errors.Is(err, os.ErrNotExist) { // it is still coming up
		return info, nil
	}
	if err != nil {
		return info, fmt.Errorf("reading the lab's description: %w", err)
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return info, fmt.Errorf("reading the lab's description %s: %w", filepath.Join(dir, infoFile), err)
	}
	info.Running = true
	return info, nil
}

// Open describes the lab that runs in dir; it is [ErrNotRunning] when none does.
func Open(dir string) (Info, error) {
	info, err := Status(dir)
	if err != nil {
		return info, err
	}
	if !info.Running {
		return info, fmt.Errorf("%w in %s (lab up starts one)", ErrNotRunning, dir)
	}
	return info, nil
}
