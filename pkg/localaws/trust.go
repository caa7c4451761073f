package localaws

import (
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// trusts reports whether the trust policy of a role lets an AWS service assume it.
func (a *AWS) trusts(r *role, service string) bool {
	domains := []string{"amazonaws.com"}
	if a.partition == "aws-cn" {
		domains = append(domains, "amazonaws.com.cn")
	}
	for _, domain := range domains {
		request := policy.Request{Action: "sts:AssumeRole", Resource: r.ARN, Principal: policy.Principal{Service: service + "." + domain}}
		if policy.Evaluate(request, r.Trust.Document) == policy.Allow {
			return true
		}
	}
	return false
}
