package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Principal is who asks.
type Principal struct {
	// AccountID of the principal.
	AccountID string
	// ARNs by which policies may name it: first its own, and then for a session
	// its role's.
	ARNs []string
	// Service that asks, such as ec2.amazonaws.com; empty for all others.
	Service string
	// Federated is the identity provider that vouches for who asks, by its ARN or
	// name; empty for all others.
	Federated string
}

// principals are those whom a statement of a resource's policy speaks of.
type principals struct {
	// anyone who is a principal of an account, and everyone, services and those who
	// come from identity providers among them: a wildcard denies to more than it
	// allows to.
	anyone, everyone                    bool
	arns, accounts, services, providers []string
	negated                             bool
}

// A naming is how closely a statement names a principal, the closest last.
type naming int

const (
	nobody naming = iota
	theAccount
	theRole // whose session the caller is
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

// match reports whether the statement speaks of a principal. NotPrincipal spares
// a user or a session only if it names the account as well.
func (p *principals) match(who Principal) bool {
	closeness := p.names(who)
	if !p.negated {
		return closeness > nobody
	}
	inAccount := len(who.ARNs) > 0 && !p.everyone
	return closeness < theRole || inAccount && !slices.Contains(p.accounts, who.AccountID)
}

// allows is how closely the statements that allow a request name its principal.
func (d *Document) allows(r *Request) naming {
	closest := nobody
	for i := range d.statements {
		if s := &d.statements[i]; !s.deny && s.principals != nil && s.applies(r) {
			closest = max(closest, s.principals.names(r.Principal))
		}
	}
	return closest
}

// PrincipalARNs are those that a trust policy names.
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
	accountPattern = regexp.MustCompile(`^\d{4}-?\d{4}-?\d{4}$`)
	// A user group is no principal, nor is any other resource.
	principalPattern = regexp.MustCompile(`^arn:` + partition + `:(iam::\d{12}:(user|role)/|sts::\d{12}:(assumed-role/[^/]+|federated-user)/)[^*?\s]+$`)
	rootPattern      = regexp.MustCompile(`^arn:` + partition + `:iam::(\d{12}):root$`)
	servicePattern   = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com(\.cn)?|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$`)
	// Four providers are known to AWS by name, the others are resources of IAM.
	providerPattern = regexp.MustCompile(`^(arn:` + partition + `:iam::\d{12}:(oidc|saml)-provider/[^*?\s]+|cognito-identity\.amazonaws\.com|www\.amazon\.com|graph\.facebook\.com|accounts\.google\.com)$`)
)

func (p *parser) principals(s *statement, raw object) error {
	value, other := raw["Principal"], raw["NotPrincipal"]
	switch {
	case value == nil && other == nil:
		return malformed("Missing required field Principal")
	case value != nil && other != nil:
		return malformed(p.syntax)
	case other != nil && !s.deny:
		return malformed("Allow with NotPrincipal is not allowed.")
	case other != nil:
		value = other
	}
	if value == "*" {
		value = object{"AWS": "*"}
	}
	kinds, ok := value.(object)
	switch {
	case !ok:
		return malformed(p.syntax)
	case len(kinds) == 0:
		return malformed("Missing required field Principal cannot be empty!")
	}
	s.principals = &principals{negated: other != nil}
	for _, kind := range kinds.names() {
		if kind != "AWS" && kind != "Service" && kind != "Federated" { // CanonicalUser is S3's
			return malformed(fmt.Sprintf("Invalid principal in policy: %q", kind))
		}
		values, ok := stringsOf(kinds[kind])
		if !ok || len(values) == 0 {
			return malformed(p.syntax)
		}
		for _, value := range values {
			if !s.principals.add(kind, value) {
				return malformed(fmt.Sprintf("Invalid principal in policy: %q:%q", strings.ToUpper(kind), value))
			}
		}
	}
	s.principals.everyone = s.principals.anyone && s.deny
	return nil
}

// add sorts one value of Principal, such as "AWS": "231144931069".
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
