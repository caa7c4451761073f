package localaws

import (
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A managedPolicy is a policy of the account's that is attached to entities.
type managedPolicy struct {
	Name        string          `json:"name"`
	Path        string          `json:"path"`
	ID          string          `json:"id"`
	ARN         string          `json:"arn"`
	Description string          `json:"description,omitempty"`
	Created     time.Time       `json:"created"`
	Updated     time.Time       `json:"updated"`
	Tags        []tag           `json:"tags,omitempty"`
	Versions    []policyVersion `json:"versions"`
	// Default is the ID of the version that acts.
	Default string `json:"defaultVersion"`
}

// A policyVersion is a managed policy as it was at a time: v1, v2, …
type policyVersion struct {
	ID       string    `json:"id"`
	Document document  `json:"document"`
	Created  time.Time `json:"created"`
}

func managedPolicyOperations() map[string]operation {
	return map[string]operation{}
}

// attachmentOperations attach managed policies to a kind of entity, and bound it.
func attachmentOperations(kind) map[string]operation {
	return map[string]operation{}
}

// awsPolicyARN is the ARN of a policy that AWS manages.
func (a *AWS) awsPolicyARN(name string) string {
	return "arn:" + a.partition + ":iam::aws:policy/" + name
}

// policyDocument is what a managed policy says now; nil if there is none.
func (a *AWS) policyDocument(arn string) *policy.Document {
	if p, ok := a.Policies[arn]; ok {
		for _, version := range p.Versions {
			if version.ID == p.Default {
				return version.Document.Document
			}
		}
	}
	if name, ok := strings.CutPrefix(arn, a.awsPolicyARN("")); ok {
		return a.awsManaged[name].Document
	}
	return nil
}

// awsManagedPolicies are those that AWS manages, by name.
func awsManagedPolicies() (map[string]document, *Error) {
	parsed := map[string]document{}
	for name, text := range map[string]string{
		"AdministratorAccess": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	} {
		document, err := parseDocument(text)
		if err != nil {
			return nil, err
		}
		parsed[name] = document
	}
	return parsed, nil
}
