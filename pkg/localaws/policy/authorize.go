package policy

// Policies are all that decide what a caller may do in its own account.
type Policies struct {
	// Identity policies: the caller's own, and those of its groups.
	Identity []*Document
	// Boundary bounds what Identity can allow. Nil means that nothing does.
	Boundary *Document
	// Session policies bound a session. Nil means that nothing does.
	Session []*Document
	// Resource is the policy of the resource: for a role, its trust policy. Nil
	// means that it has none.
	Resource *Document
}

// Kind of policy, in AWS's words.
type Kind string

// The kinds of policy that a denial can be blamed on.
const (
	IdentityPolicy      Kind = "identity-based policy"
	PermissionsBoundary Kind = "permissions boundary"
	SessionPolicy       Kind = "session policy"
	ResourcePolicy      Kind = "resource-based policy"
	TrustPolicy         Kind = "role trust policy"
)

// Article is the kind with its article: an identity-based policy.
func (k Kind) Article() string {
	switch k {
	case IdentityPolicy:
		return "an " + string(k)
	case TrustPolicy: // a role has one, no more
		return "the " + string(k)
	default:
		return "a " + string(k)
	}
}

// Verdict is a decision and, unless it is Allow, the kind of policy by which it
// was made: one that denies, or one that is silent.
type Verdict struct {
	Decision Decision
	By       Kind
}

// Authorize decides about a request by the caller's policies and the resource's.
// None may deny it, and every kind there is must allow it, with two exceptions: a
// policy of the resource need not, unless it is a trust policy; and what it
// allows to the caller by name the caller's own policies need not allow.
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
