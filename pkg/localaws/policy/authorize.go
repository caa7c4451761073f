package policy

// Policies are the policies that decide what a caller may do in its own account.
type Policies struct {
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
// policy may deny it, and every kind must allow it, with two exceptions: a
// resource's policy need not, unless it is a trust policy; and if that policy allows
// it to the caller by name, the caller's own policies need not.
func Authorize(request Request, policies Policies) Verdict {
	verdict, named := Verdict{Decision: Allow}, nobody
	if policies.Resource != nil {
		switch Evaluate(request, policies.Resource) {
		case ExplicitDeny:
			return Verdict{ExplicitDeny, policies.Resource.kind}
		case Allow:
			named = policies.Resource.allows(&request)
		default:
			if policies.Resource.kind == TrustPolicy {
				verdict = Verdict{ImplicitDeny, TrustPolicy}
			}
		}
	}
	ask := func(kind Kind, waived bool, documents ...*Document) (denied bool) {
		switch Evaluate(request, documents...) {
		case ExplicitDeny:
			verdict = Verdict{ExplicitDeny, kind}
			return true
		case ImplicitDeny:
			if verdict.Decision == Allow && !waived {
				verdict = Verdict{ImplicitDeny, kind}
			}
		}
		return false
	}
	if ask(IdentityPolicy, named >= theRole, policies.Identity...) {
		return verdict
	}
	if policies.Boundary != nil && ask(PermissionsBoundary, named >= theCaller, policies.Boundary) {
		return verdict
	}
	if policies.Session != nil {
		ask(SessionPolicy, named >= theCaller, policies.Session...)
	}
	return verdict
}
