package policy

// Policies are the policies that decide what a caller may do.
type Policies struct {
	// Organization holds the service control policies of the caller's account, one
	// list a level: those of the root, of each organizational unit and of the account
	// itself. Every level must allow; a level without policies allows nothing. Nil
	// means no limit: the account is in no organization, or manages it.
	Organization [][]*Document
	// Identity policies are the caller's own and those of its groups.
	Identity []*Document
	// Boundary limits what Identity can allow. Nil means no limit.
	Boundary *Document
	// Session policies limit a session. Nil means no limit.
	Session []*Document
	// Resource is the policy of the resource: for a role, its trust policy. Nil
	// means none.
	Resource *Document
}

// Kind is a kind of policy, by AWS's name.
type Kind string

// The kinds of policy that a denial names.
const (
	IdentityPolicy      Kind = "identity-based policy"
	PermissionsBoundary Kind = "permissions boundary"
	SessionPolicy       Kind = "session policy"
	ResourcePolicy      Kind = "resource-based policy"
	TrustPolicy         Kind = "role trust policy"
	// ServiceControl is the kind of [Policies.Organization].
	ServiceControl Kind = "service control policy"
)

// Article returns the kind with its article: an identity-based policy.
func (k Kind) Article() string {
	switch k {
	case IdentityPolicy:
		return "an " + string(k)
	case TrustPolicy: // a role has only one
		return "the " + string(k)
	default:
		return "a " + string(k)
	}
}

// Verdict is a decision and, unless it is Allow, the kind of policy that made it:
// one that denies, or one that does not allow.
type Verdict struct {
	Decision Decision
	By       Kind
}

// Authorize evaluates a request with the caller's policies and the resource's. No
// policy may deny it, and every kind must allow it. In the caller's own account there
// are two exceptions: a resource's policy need not allow it, unless it is a trust
// policy; and if that policy allows it to the caller by name, the caller's own
// policies need not, except those of its organization.
//
// If several kinds deny, the verdict names the first in the order in which AWS
// evaluates them.
func Authorize(request Request, policies Policies) Verdict {
	a := authorization{request: request, verdict: Verdict{Decision: Allow}}
	for _, level := range policies.Organization {
		a.ask(ServiceControl, false, level...)
	}
	named := nobody
	switch resource := policies.Resource; {
	case resource != nil:
		named = a.askResource(resource)
	case request.crossesAccounts():
		a.refuse(Verdict{ImplicitDeny, ResourcePolicy})
	}
	a.ask(IdentityPolicy, named >= theRole, policies.Identity...)
	if policies.Boundary != nil {
		a.ask(PermissionsBoundary, named >= theCaller, policies.Boundary)
	}
	if policies.Session != nil {
		a.ask(SessionPolicy, named >= theCaller, policies.Session...)
	}
	return a.verdict
}

// An authorization is the verdict on a request so far.
type authorization struct {
	request Request
	verdict Verdict
}

// ask evaluates the policies of a kind. If it is waived, they need not allow.
func (a *authorization) ask(kind Kind, waived bool, documents ...*Document) {
	switch decision := Evaluate(a.request, documents...); {
	case decision == ExplicitDeny, decision == ImplicitDeny && !waived:
		a.refuse(Verdict{decision, kind})
	}
}

// askResource evaluates the policy of the resource and returns how specifically it
// allows the request to the caller. Another account's policy cannot replace the
// caller's own.
func (a *authorization) askResource(policy *Document) naming {
	switch Evaluate(a.request, policy) {
	case ExplicitDeny:
		a.refuse(Verdict{ExplicitDeny, policy.kind})
	case ImplicitDeny:
		if policy.kind == TrustPolicy || a.request.crossesAccounts() {
			a.refuse(Verdict{ImplicitDeny, policy.kind})
		}
	case Allow:
		if !a.request.crossesAccounts() {
			return policy.allows(&a.request)
		}
	}
	return nobody
}

// refuse notes a denial. The first stays, unless it is implicit and the other is not.
func (a *authorization) refuse(verdict Verdict) {
	if a.verdict.Decision == Allow || a.verdict.Decision == ImplicitDeny && verdict.Decision == ExplicitDeny {
		a.verdict = verdict
	}
}
