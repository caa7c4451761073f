package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// An accessHandover writes the access entries of the cluster into the files that the
// authenticator follows. On EKS, the control plane does this.
type accessHandover struct {
	lab *Lab
	// entries and mode are what the files contain, without the times.
	entries []byte
	mode    string
}

// start writes the files, and returns what keeps them up to date until ctx is done.
func (h *accessHandover) start() (follow func(ctx context.Context), err error) {
	if err := h.lab.dir.MkdirPublic(provider.AccessDir); err != nil {
		return nil, fmt.Errorf("making the directory of access entries: %w", err)
	}
	changed := h.lab.aws.aws.Changed()
	if err := h.write(time.Now()); err != nil {
		return nil, err
	}
	return func(ctx context.Context) {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			changed = h.lab.aws.aws.Changed()
			if err := h.write(time.Now()); err != nil { // the next change tries again
				h.lab.progress("%v", err)
			}
		}
	}, nil
}

// write writes the files whose content has changed.
func (h *accessHandover) write(now time.Time) error {
	cluster, _ := h.lab.aws.aws.Cluster(Region, ClusterName) // a deleted one has no entries
	mappings := newMappings(cluster.AccessEntries)
	entries, err := json.Marshal(mappings)
	if err != nil {
		return fmt.Errorf("encoding the access entries: %w", err)
	}
	updated := updated{Version: "1", LastUpdated: strconv.FormatInt(now.Unix(), 10)}
	if !bytes.Equal(entries, h.entries) {
		if err := h.writeFile(provider.EntriesFile, dynamicFile{updated, mappings}); err != nil {
			return err
		}
		h.entries = entries
	}
	// Last, so that a cluster that begins to use access entries has them.
	if mode := backendsOf(cluster.AuthenticationMode); mode != h.mode {
		if err := h.writeFile(provider.BackendModeFile, backendMode{updated, mode}); err != nil {
			return err
		}
		h.mode = mode
	}
	return nil
}

func (h *accessHandover) writeFile(name string, content any) error {
	text, err := json.MarshalIndent(content, "", "  ")
	if err == nil {
		err = h.lab.dir.WriteFile(provider.AccessDir+"/"+name, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("writing the access entries: %w", err)
	}
	return nil
}

// backendsOf returns the authenticator's backends in an authentication mode of EKS. An
// access entry takes precedence over an entry of aws-auth.
func backendsOf(mode string) string {
	switch mode {
	case "API":
		return "DynamicFile"
	case "API_AND_CONFIG_MAP":
		return "DynamicFile EKSConfigMap"
	}
	return "EKSConfigMap"
}

// The files, in the format of aws-iam-authenticator.
type (
	updated struct {
		Version     string
		LastUpdated string `json:"LastUpdatedDateTime"`
	}
	dynamicFile struct {
		updated
		mappings
	}
	backendMode struct {
		updated
		Backends string `json:"backendMode"`
	}
	mappings struct {
		Roles    []mapping `json:"mapRoles"`
		Users    []mapping `json:"mapUsers"`
		Accounts []string  `json:"mapAccounts"`
	}
	mapping struct {
		RoleARN  string   `json:"rolearn,omitempty"`
		UserARN  string   `json:"userarn,omitempty"`
		UserID   string   `json:"userid"`
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
	}
)

func newMappings(entries []localaws.AccessEntry) mappings {
	m := mappings{Roles: []mapping{}, Users: []mapping{}, Accounts: []string{}}
	for _, entry := range entries {
		made := mapping{UserID: entry.PrincipalID, Username: entry.Username, Groups: entry.Groups}
		if strings.Contains(entry.PrincipalARN, ":role/") {
			made.RoleARN = withoutPath(entry.PrincipalARN)
			m.Roles = append(m.Roles, made)
		} else {
			made.UserARN = entry.PrincipalARN
			m.Users = append(m.Users, made)
		}
	}
	return m
}

// withoutPath returns the ARN of a role as its sessions have it: without the role's path.
func withoutPath(arn string) string {
	before, path, _ := strings.Cut(arn, ":role/")
	return before + ":role/" + path[strings.LastIndex(path, "/")+1:]
}
