package eks

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// An accessPolicy is a policy of EKS that is associated with an access entry.
type accessPolicy struct {
	Scope    accessScope `json:"accessScope"`
	Created  time.Time   `json:"created"`
	Modified time.Time   `json:"modified"`
}

type accessScope struct {
	Type       string   `json:"type"`
	Namespaces []string `json:"namespaces"`
}

func accessPolicyOperations() []api.Operation {
	const associated = "/clusters/{clusterName}/access-entries/{principalArn}/access-policies"
	return []api.Operation{
		on(anything, "GET /access-policies", "ListAccessPolicies", listAccessPolicies, "maxResults", "nextToken"),
		on(namedEntry, "POST "+associated, "AssociateAccessPolicy", associatePolicy),
		on(namedEntry, "GET "+associated, "ListAssociatedAccessPolicies", listAssociatedPolicies, "maxResults", "nextToken"),
		on(namedEntry, "DELETE "+associated+"/{policyArn}", "DisassociateAccessPolicy", disassociatePolicy),
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
		policies = append(policies, policy{name, policyARN(tx, name)})
	}
	return listed(in.Input, "accessPolicies", policies, func(p policy) string { return p.Name })
}

func policyARN(tx *account.Tx, name string) string {
	return "arn:" + tx.Account.Partition + ":eks::aws:cluster-access-policy/" + name
}

type policyInput struct {
	ARN   string      `json:"policyArn"`
	Scope accessScope `json:"accessScope"`
}

func (i *policyInput) conditionKeys() map[string][]string {
	keys := map[string][]string{"eks:policyarn": {i.ARN}, "eks:accessscope": {i.Scope.Type}}
	if len(i.Scope.Namespaces) > 0 {
		keys["eks:namespaces"] = i.Scope.Namespaces
	}
	return keys
}

// associatePolicy replaces the scope of a policy that is associated already.
func associatePolicy(tx *account.Tx, m member[*accessEntry], in request[policyInput]) (any, error) {
	input, e := in.Body, m.it
	name := input.ARN[strings.LastIndex(input.ARN, "/")+1:]
	switch {
	case !slices.Contains(accessPolicies(), name) || policyARN(tx, name) != input.ARN:
		return nil, invalid("The policyArn parameter format is not valid")
	case e.Type != "STANDARD" && e.Type != "EC2":
		return nil, invalid("The access entry of type " + e.Type + " cannot have access policies.")
	}
	if err := input.Scope.check(); err != nil {
		return nil, err
	}
	if e.Policies == nil {
		e.Policies = map[string]*accessPolicy{}
	}
	now := e.Policies[input.ARN]
	if now == nil {
		now = &accessPolicy{Created: tx.Time}
		e.Policies[input.ARN] = now
	}
	now.Scope, now.Modified = input.Scope, tx.Time
	return map[string]any{"clusterName": m.cluster.Name, "principalArn": e.Principal, "associatedAccessPolicy": now.describe(input.ARN)}, nil
}

const maxNamespaces = 100

func (a *accessScope) check() error {
	if err := oneOf("accessScope.type", a.Type, []string{"cluster", "namespace"}); err != nil {
		return err
	}
	switch {
	case a.Type == "cluster" && len(a.Namespaces) > 0:
		return invalid("Namespaces cannot be specified with the access scope type cluster.")
	case a.Type == "namespace" && len(a.Namespaces) == 0:
		return invalid("Namespaces are required with the access scope type namespace.")
	case len(a.Namespaces) > maxNamespaces:
		return invalid(fmt.Sprintf("An access scope cannot have more than %d namespaces.", maxNamespaces))
	}
	for _, name := range a.Namespaces { // dev-* is a name too
		if !namespacePattern.MatchString(strings.ReplaceAll(name, "*", "x")) {
			return invalid("The namespace " + name + " is not valid.")
		}
	}
	if a.Namespaces == nil {
		a.Namespaces = []string{}
	}
	return nil
}

func (p *accessPolicy) describe(arn string) map[string]any {
	return map[string]any{
		"policyArn": arn, "accessScope": p.Scope, "associatedAt": protocol.Timestamp(p.Created), "modifiedAt": protocol.Timestamp(p.Modified),
	}
}

func listAssociatedPolicies(_ *account.Tx, m member[*accessEntry], in request[none]) (any, error) {
	arns := slices.Sorted(maps.Keys(m.it.Policies))
	page, next, err := page(in.Input, arns, itself)
	if err != nil {
		return nil, err
	}
	described := make([]any, len(page))
	for i, arn := range page {
		described[i] = m.it.Policies[arn].describe(arn)
	}
	result := paged("associatedAccessPolicies", described, next)
	result["clusterName"], result["principalArn"] = m.cluster.Name, m.it.Principal
	return result, nil
}

func disassociatePolicy(_ *account.Tx, m member[*accessEntry], in request[none]) (any, error) {
	if m.it.Policies[in.Path["policyArn"]] == nil {
		return nil, notFound("The specified policyArn could not be found.")
	}
	delete(m.it.Policies, in.Path["policyArn"])
	return struct{}{}, nil
}
