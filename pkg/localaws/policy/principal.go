package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// Principal is the caller.
type Principal struct {
	// AccountID of the principal.
	AccountID string
	// ARNs are those that policies may use for it: its own first, then a session's
	// role.
	ARNs []string
	// Service is an AWS service, such as ec2.amazonaws.com; empty for others.
	Service string
	// Federated is the ARN or name of the identity provider of a federated caller;
	// empty for others.
	Federated string
}

// principals are the principals in a statement of a resource policy.
type principals struct {
	// anyone matches principals of accounts. everyone also matches services and
	// callers of identity providers: a wildcard denies to more than it allows to.
	anyone, everyone                    bool
	arns, accounts, services, providers []string
	negated                             bool
}

// A naming is how specifically a statement names a principal, in ascending order.
type naming int

const (
	nobody naming = iota
	theAccount
	theRole // the role of the caller's session
	theCaller
)

func (p *principals) names(who Principal) naming {
	switch {
	case p.everyone:
		return theCaller
	case who.Service != "":
		return named(theCaller, slices.Contains(p.services, who.Service))
	case who.Federated != "":
		return named(theCaller, slices.Contains(p.providers, who.Federated))
	case p.anyone || len(who.ARNs) > 0 && slices.Contains(p.arns, who.ARNs[0]):
		return theCaller
	case slices.ContainsFunc(who.ARNs, func(arn string) bool { return slices.Contains(p.arns, arn) }):
		return theRole
	default:
		return named(theAccount, slices.Contains(p.accounts, who.AccountID))
	}
}

func named(as naming, is bool) naming {
	if is {
		return as
	}
	return nobody
}

// match reports whether the statement applies to a principal. NotPrincipal excludes
// a user or a session only if it also lists the account.
func (p *principals) match(who Principal) bool {
	closeness := p.names(who)
	if !p.negated {
		return closeness > nobody
	}
	inAccount := len(who.ARNs) > 0 && !p.everyone
	return closeness < theRole || inAccount && !slices.Contains(p.accounts, who.AccountID)
}

// allows returns how specifically the allowing statements name the principal.
func (d *Document) allows(r *Request) naming {
	closest := nobody
	for i := range d.statements {
		if s := &d.statements[i]; !s.deny && s.principals != nil && s.applies(r) {
			closest = max(closest, s.principals.names(r.Principal))
		}
	}
	return closest
}

// PrincipalARNs returns the ARNs of principals in a trust policy.
func (d *Document) PrincipalARNs() []string {
	var arns []string
	for _, s := range d.statements {
		if s.principals != nil {
			arns = append(arns, s.principals.arns...)
		}
	}
	return arns
}

var (
	accountPattern = pattern.New(`^\d{4}-?\d{4}-?\d{4}$`)
	// User groups and other resources are not principals.
	principalPattern = pattern.New(`^arn:` + partition + `:(iam::\d{12}:(user|role)/|sts::\d{12}:(assumed-role/[^/]+|federated-user)/)[^*?\s]+$`)
	rootPattern      = pattern.New(`^arn:` + partition + `:iam::(\d{12}):root$`)
	servicePattern   = pattern.New(`^[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com(\.cn)?|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$`)
	// AWS has names for four providers; the others are IAM resources.
	providerPattern = pattern.New(`^(arn:` + partition + `:iam::\d{12}:(oidc|saml)-provider/[^*?\s]+|cognito-identity\.amazonaws\.com|www\.amazon\.com|graph\.facebook\.com|accounts\.google\.com)$`)
)

func (p *parser) principals(s *statement, raw object) {
	refuse := func(reason string) { p.refuse(malformed(ofSyntax, reason)) }
	value, other := raw["Principal"], raw["NotPrincipal"]
	switch {
	case value == nil && other == nil:
		refuse("Missing required field Principal")
		return
	case value != nil && other != nil:
		refuse(p.syntax)
		return
	case other != nil && !s.deny && !p.stored:
		refuse("Allow with NotPrincipal is not allowed.")
		return
	case other != nil:
		value = other
	}
	if value == "*" {
		value = object{"AWS": "*"}
	}
	kinds, ok := value.(object)
	switch {
	case !ok:
		refuse(p.syntax)
		return
	case len(kinds) == 0:
		refuse("Missing required field Principal cannot be empty!")
		return
	}
	s.principals = &principals{negated: other != nil}
	for _, kind := range kinds.names() {
		if kind != "AWS" && kind != "Service" && kind != "Federated" { // CanonicalUser is for S3
			refuse(fmt.Sprintf("Invalid principal in policy: %q", kind))
			return
		}
		values, ok := stringsOf(kinds[kind])
		if !ok || len(values) == 0 {
			refuse(p.syntax)
			return
		}
		for _, value := range values {
			if !s.principals.add(kind, value) && !p.stored { // a stored one names nobody
				refuse(fmt.Sprintf("Invalid principal in policy: %q:%q", strings.ToUpper(kind), value))
			}
		}
	}
	s.principals.everyone = s.principals.anyone && s.deny
}

// add adds one value of Principal, such as "AWS": "231144931069".
func (p *principals) add(kind, value string) bool {
	switch {
	case kind == "AWS" && value == "*":
		p.anyone = true
	case kind == "AWS" && accountPattern.MatchString(value):
		p.accounts = append(p.accounts, strings.ReplaceAll(value, "-", ""))
	case kind == "AWS" && rootPattern.MatchString(value):
		p.accounts = append(p.accounts, rootPattern.FindStringSubmatch(value)[1])
	case kind == "AWS" && principalPattern.MatchString(value):
		p.arns = append(p.arns, value)
	case kind == "Service" && servicePattern.MatchString(value):
		p.services = append(p.services, value)
	case kind == "Federated" && providerPattern.MatchString(value):
		p.providers = append(p.providers, value)
	default:
		return false
	}
	return true
}
