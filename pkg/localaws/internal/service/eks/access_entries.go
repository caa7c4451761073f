package eks

import (
	"encoding/json"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// accessEntryOperations fail as they do on AWS for clusters with authentication mode
// CONFIG_MAP.
func accessEntryOperations() []api.Operation {
	const entries = "/clusters/{clusterName}/access-entries"
	const entry = entries + "/{principalArn}"
	return []api.Operation{
		on(namedCluster, "POST "+entries, "CreateAccessEntry", noAccessEntries[*cluster, accessEntryInput]),
		on(namedCluster, "GET "+entries, "ListAccessEntries", noAccessEntries[*cluster, none], "associatedPolicyArn", "maxResults", "nextToken"),
		on(accessEntry, "GET "+entry, "DescribeAccessEntry", noAccessEntries[none, none]),
		on(accessEntry, "POST "+entry, "UpdateAccessEntry", noAccessEntries[none, json.RawMessage]),
		on(accessEntry, "DELETE "+entry, "DeleteAccessEntry", noAccessEntries[none, none]),
		on(accessEntry, "POST "+entry+"/access-policies", "AssociateAccessPolicy", noAccessEntries[none, json.RawMessage]),
		on(accessEntry, "GET "+entry+"/access-policies", "ListAssociatedAccessPolicies", noAccessEntries[none, none], "maxResults", "nextToken"),
		on(accessEntry, "DELETE "+entry+"/access-policies/{policyArn}", "DisassociateAccessPolicy", noAccessEntries[none, none]),
	}
}

func noAccessEntries[T, B any](*account.Tx, T, request[B]) (any, error) {
	return nil, refuse("InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
}

type accessEntryInput struct {
	Principal string            `json:"principalArn"`
	Groups    []string          `json:"kubernetesGroups"`
	Username  string            `json:"username"`
	Type      string            `json:"type"`
	Tags      map[string]string `json:"tags"`
	Token     string            `json:"clientRequestToken"`
}

func (i *accessEntryInput) conditionKeys() map[string][]string {
	keys := api.Merged(api.RequestTags(i.Tags), map[string][]string{"eks:principalarn": {i.Principal}})
	for key, values := range map[string][]string{"eks:kubernetesgroups": i.Groups, "eks:username": {i.Username}, "eks:accessentrytype": {i.Type}} {
		if len(values) > 0 && values[0] != "" {
			keys[key] = values
		}
	}
	return keys
}

// accessEntry finds the entry of the principal in the path.
func accessEntry(tx *account.Tx, input api.Input) (none, subject, error) {
	name, principal := input.Path["clusterName"], input.Path["principalArn"]
	parts := strings.SplitN(principal, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" {
		return none{}, subject{arn: tx.ARN("eks", tx.Region, "access-entry/"+name+"/*")}, invalid("The specified principalArn is invalid: invalid principal.")
	}
	// The ARN of an entry ends in a UUID, and no entry exists here to have one.
	kind, _, _ := strings.Cut(parts[5], "/")
	needed := subject{
		tx.ARN("eks", tx.Region, "access-entry/"+name+"/"+kind+"/"+parts[4]+"/"+principal[strings.LastIndex(principal, "/")+1:]+"/*"),
		map[string][]string{"eks:clustername": {name}, "eks:principalarn": {principal}},
	}
	_, _, err := namedCluster(tx, input)
	return none{}, needed, err
}
