package eks

import (
	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func accessPolicyOperations() []api.Operation {
	return []api.Operation{
		on(anything, "GET /access-policies", "ListAccessPolicies", listAccessPolicies, "maxResults", "nextToken"),
	}
}

// accessPolicies returns the names of AWS's policies for access entries, sorted.
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

func listAccessPolicies(tx *account.Tx, _ none, in request[none]) (any, error) {
	type policy struct {
		Name string `json:"name"`
		ARN  string `json:"arn"`
	}
	var policies []policy
	for _, name := range accessPolicies() {
		policies = append(policies, policy{name, "arn:" + tx.Account.Partition + ":eks::aws:cluster-access-policy/" + name})
	}
	return listed(in.Input, "accessPolicies", policies, func(p policy) string { return p.Name })
}
