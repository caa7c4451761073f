package localaws

import (
	"net/http"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// configMap is the authentication mode of every cluster here: only the ConfigMap
// aws-auth and the creator's role grant access.
const configMap = "CONFIG_MAP"

// An accessConfig is the access configuration of a cluster.
type accessConfig struct {
	AuthenticationMode string `json:"authenticationMode"`
	Bootstrap          bool   `json:"bootstrapClusterCreatorAdminPermissions"`
}

func (a *accessConfig) check() *Error {
	switch {
	case a.AuthenticationMode == "API" || a.AuthenticationMode == "API_AND_CONFIG_MAP":
		return invalidEKS("localaws does not support authentication mode " + a.AuthenticationMode + ": its clusters have " + configMap + ".")
	case a.AuthenticationMode != configMap:
		return invalidEKS("Authentication mode " + a.AuthenticationMode + " is unknown (supported: API, API_AND_CONFIG_MAP, CONFIG_MAP).")
	case !a.Bootstrap:
		return invalidEKS("bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to " + configMap)
	}
	return nil
}

// unsupportedMode returns the error for a change of the authentication mode. AWS
// only lets clusters go from CONFIG_MAP to API_AND_CONFIG_MAP.
func unsupportedMode(mode string) *Error {
	if mode == "API_AND_CONFIG_MAP" {
		return (&accessConfig{AuthenticationMode: mode}).check()
	}
	return invalidEKS("Unsupported authentication mode update from " + configMap + " to " + mode)
}

// accessEntryOperations fail as they do on AWS for clusters with authentication mode
// CONFIG_MAP.
func accessEntryOperations() []api.Operation {
	const entries = "/clusters/{clusterName}/access-entries"
	const entry = entries + "/{principalArn}"
	return []api.Operation{
		on("GET /access-policies", "ListAccessPolicies", listAccessPolicies, "maxResults", "nextToken"),
		on("POST "+entries, "CreateAccessEntry", createAccessEntry),
		on("GET "+entries, "ListAccessEntries", listAccessEntries, "associatedPolicyArn", "maxResults", "nextToken"),
		on("GET "+entry, "DescribeAccessEntry", accessEntry),
		on("POST "+entry, "UpdateAccessEntry", accessEntry),
		on("DELETE "+entry, "DeleteAccessEntry", accessEntry),
		on("POST "+entry+"/access-policies", "AssociateAccessPolicy", accessEntry),
		on("GET "+entry+"/access-policies", "ListAssociatedAccessPolicies", accessEntry, "maxResults", "nextToken"),
		on("DELETE "+entry+"/access-policies/{policyArn}", "DisassociateAccessPolicy", accessEntry),
	}
}

func noAccessEntries() *Error {
	return newError(http.StatusBadRequest, "InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
}

func createAccessEntry(c *eksCall) (any, *Error) {
	var input struct {
		Principal string            `json:"principalArn"`
		Groups    []string          `json:"kubernetesGroups"`
		Username  string            `json:"username"`
		Type      string            `json:"type"`
		Tags      map[string]string `json:"tags"`
		Token     string            `json:"clientRequestToken"`
	}
	if err := c.decode(&input); err != nil {
		return nil, err
	}
	keys := merged(requestTags(input.Tags), map[string][]string{"eks:principalarn": {input.Principal}})
	for key, values := range map[string][]string{"eks:kubernetesgroups": input.Groups, "eks:username": {input.Username}, "eks:accessentrytype": {input.Type}} {
		if len(values) > 0 && values[0] != "" {
			keys[key] = values
		}
	}
	if _, err := c.cluster(c.path["clusterName"], keys); err != nil {
		return nil, err
	}
	return nil, noAccessEntries()
}

func listAccessEntries(c *eksCall) (any, *Error) {
	if _, err := c.cluster(c.path["clusterName"], nil); err != nil {
		return nil, err
	}
	return nil, noAccessEntries()
}

// accessEntry answers a call about one entry.
func accessEntry(c *eksCall) (any, *Error) {
	name, principal := c.path["clusterName"], c.path["principalArn"]
	parts := strings.SplitN(principal, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" {
		return nil, invalidEKS("The specified principalArn is invalid: invalid principal.")
	}
	// The ARN of an entry ends in a UUID, and no entry exists here to have one.
	kind, _, _ := strings.Cut(parts[5], "/")
	arn := c.arn("eks", c.region, "access-entry/"+name+"/"+kind+"/"+parts[4]+"/"+principal[strings.LastIndex(principal, "/")+1:]+"/*")
	if err := c.authorize(c.operation, arn, map[string][]string{"eks:clustername": {name}, "eks:principalarn": {principal}}); err != nil {
		return nil, err
	}
	if _, ok := c.state.Clusters[c.clusterARN(c.region, name)]; !ok {
		return nil, noCluster(name)
	}
	return nil, noAccessEntries()
}

func accessPolicies() []string {
	return []string{
		"AIDevOpsAgentAccessPolicy", "AmazonAIOpsAssistantPolicy", "AmazonARCRegionSwitchScalingPolicy",
		"AmazonEKSACKPolicy", "AmazonEKSAdminPolicy", "AmazonEKSAdminViewPolicy", "AmazonEKSArgoCDClusterPolicy",
		"AmazonEKSArgoCDPolicy", "AmazonEKSAutoNodePolicy", "AmazonEKSBlockStorageClusterPolicy", "AmazonEKSBlockStoragePolicy",
		"AmazonEKSClusterAdminPolicy", "AmazonEKSComputeClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSEditPolicy",
		"AmazonEKSEventPolicy", "AmazonEKSHybridPolicy", "AmazonEKSKROPolicy", "AmazonEKSLoadBalancingClusterPolicy",
		"AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingClusterPolicy", "AmazonEKSNetworkingPolicy",
		"AmazonEKSPodIdentityPolicy", "AmazonEKSSecretAdminPolicy", "AmazonEKSSecretReaderPolicy", "AmazonEKSViewPolicy",
		"AmazonEMRJobPolicy", "AmazonSagemakerHyperpodClusterPolicy", "AmazonSagemakerHyperpodControllerPolicy",
		"AmazonSagemakerHyperpodSpacePolicy", "AmazonSagemakerHyperpodSpaceTemplatePolicy",
		"AmazonSagemakerHyperpodSystemNamespacePolicy", "AmazonSagemakerHyperpodUserClusterPolicy",
	}
}

func listAccessPolicies(c *eksCall) (any, *Error) {
	if err := c.authorize(c.operation, "*", nil); err != nil {
		return nil, err
	}
	names, next, err := c.page(accessPolicies())
	if err != nil {
		return nil, err
	}
	type policy struct {
		Name string `json:"name"`
		ARN  string `json:"arn"`
	}
	policies := make([]policy, len(names))
	for i, name := range names {
		policies[i] = policy{name, "arn:" + c.partition + ":eks::aws:cluster-access-policy/" + name}
	}
	return struct {
		Policies  []policy `json:"accessPolicies"`
		NextToken string   `json:"nextToken,omitempty"`
	}{policies, next}, nil
}
