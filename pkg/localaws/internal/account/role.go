package account

import (
	"slices"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// A Role is a role as other services see it.
type Role struct {
	Owner
	// Trust is the trust policy, which says who may assume the role.
	Trust *policy.Document
	// Trusted are the IDs of the users and roles that Trust names by ARN.
	// A new user or role with the same name is not trusted.
	Trusted    map[string]string
	MaxSession time.Duration
}

// Trustee returns a caller as the trust policy names it. A trust policy means the
// users and roles that existed when the policy was set, even if renamed since, and no
// others that took over a name.
func (r Role) Trustee(c *Caller) policy.Principal {
	trustee := c.Principal
	at := slices.Index(trustee.ARNs, c.Owner.ARN)
	if at < 0 { // a federated user is not the user
		return trustee
	}
	trustee.ARNs = slices.Clone(trustee.ARNs)
	if id, named := r.Trusted[c.Owner.ARN]; named && id != c.Owner.ID {
		trustee.ARNs[at] = c.Owner.ID
	}
	for arn, id := range r.Trusted {
		if id == c.Owner.ID && arn != c.Owner.ARN {
			trustee.ARNs = slices.Insert(trustee.ARNs, at, arn)
		}
	}
	return trustee
}

// Trusts reports whether the trust policy of a role lets an AWS service, such as
// "ec2", assume it.
func (a *Account) Trusts(r Role, service string) bool {
	return slices.ContainsFunc(slices.Compact([]string{"amazonaws.com", a.Domain()}), func(domain string) bool {
		request := policy.Request{Action: "sts:AssumeRole", Resource: r.ARN, Principal: policy.Principal{Service: service + "." + domain}}
		return policy.Evaluate(request, r.Trust) == policy.Allow
	})
}

// PassRole checks whether the caller may pass a role to an AWS service, such as
// "ec2.amazonaws.com".
func (tx *Tx) PassRole(r Role, service string) error {
	return tx.Authorize("iam:PassRole", r.ARN, map[string][]string{"iam:passedtoservice": {service}})
}
