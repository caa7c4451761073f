package localaws

import "time"

// An instanceProfile gives the role in it to an EC2 instance.
type instanceProfile struct {
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	ID      string    `json:"id"`
	ARN     string    `json:"arn"`
	Created time.Time `json:"created"`
	Tags    []tag     `json:"tags,omitempty"`
	// Role is the ID of the one role in it; empty without one.
	Role string `json:"role,omitempty"`
}

func instanceProfileOperations() map[string]operation {
	return map[string]operation{}
}
