package localaws

import "time"

// An mfaDevice makes the one-time codes of a user (RFC 6238: six digits, 30 s).
type mfaDevice struct {
	Serial  string    `json:"serial"` // its ARN
	Seed    []byte    `json:"seed"`
	Created time.Time `json:"created"`
	// UserID of whose it is; empty until it is enabled.
	UserID  string    `json:"userID,omitempty"`
	Enabled time.Time `json:"enabled,omitzero"`
	// LastStep is the time step of the last code that was accepted: a code is
	// good once.
	LastStep int64 `json:"lastStep,omitempty"`
}

func mfaDeviceOperations() map[string]operation {
	return map[string]operation{}
}
