// Package backendmode follows the file of aws-iam-authenticator's dynamicBackendModePath,
// which names the sources of a cluster's mappings.
package backendmode

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Mode is the content of a file.
type Mode struct {
	// Version names the version of the file.
	Version string `json:"Version"`
	// LastUpdated is when the mode changed, in seconds since 1970.
	LastUpdated string `json:"LastUpdatedDateTime"`
	// Backends are the names of the backends, separated by spaces.
	Backends string `json:"backendMode"`
}

// maxBackends bounds the backends of a mode. Fewer exist.
const maxBackends = 16

// Parse parses a file. It does not know which backends there are.
func Parse(content []byte) (Mode, error) {
	var mode Mode
	if err := json.Unmarshal(content, &mode); err != nil {
		return Mode{}, fmt.Errorf("parsing the backend mode: %w (expected JSON with backendMode, Version and LastUpdatedDateTime)", err)
	}
	switch n := len(mode.Names()); {
	case n == 0:
		return Mode{}, errors.New("parsing the backend mode: backendMode is empty (expected the names of backends, separated by spaces)")
	case n > maxBackends:
		return Mode{}, fmt.Errorf("parsing the backend mode: backendMode names %d backends (at most %d)", n, maxBackends)
	}
	return mode, nil
}

// Names returns the names of the backends, in order.
func (m Mode) Names() []string { return strings.Fields(m.Backends) }
