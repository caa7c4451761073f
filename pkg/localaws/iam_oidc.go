package localaws

import "time"

// An oidcProvider is an issuer whose tokens may assume roles.
type oidcProvider struct {
	ARN         string    `json:"arn"`
	URL         string    `json:"url"`
	ClientIDs   []string  `json:"clientIDs,omitempty"`
	Thumbprints []string  `json:"thumbprints,omitempty"`
	Created     time.Time `json:"created"`
	Tags        []tag     `json:"tags,omitempty"`
}

func oidcProviderOperations() map[string]operation {
	return map[string]operation{}
}
