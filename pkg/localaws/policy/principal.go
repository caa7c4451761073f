package policy

import (
	"strings"
)

// principals are those whom a statement of a trust policy speaks of.
type principals struct {
	anyone   bool
	arns     []string
	accounts []string
	services []string
	negated  bool
}

func (p *principals) match(who Principal) bool {
	return p.names(who) != p.negated
}

func (p *principals) names(who Principal) bool {
	if who.Service != "" {
		return contains(p.services, who.Service)
	}
	if p.anyone || contains(p.accounts, who.AccountID) {
		return true
	}
	for _, arn := range who.ARNs {
		if contains(p.arns, arn) {
			return true
		}
	}
	return false
}

// AllowsDirectly reports whether a trust policy allows a request by the principal's
// own ARN, not by its account: then the principal needs no permission of its own
// to assume the role.
func (d *Document) AllowsDirectly(r Request) bool {
	for _, s := range d.statements {
		if s.deny || s.principals == nil || s.principals.negated || !s.applies(r) {
			continue
		}
		for _, arn := range r.Principal.ARNs {
			if contains(s.principals.arns, arn) {
				return true
			}
		}
	}
	return false
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

func contains(list []string, text string) bool {
	for _, item := range list {
		if item == text {
			return true
		}
	}
	return false
}

// add sorts a value of "Principal": {"AWS": …}: an account, its root, or an ARN.
func (p *principals) add(value string) bool {
	switch parts := strings.Split(value, ":"); {
	case value == "*":
		p.anyone = true
	case isAccountID(value):
		p.accounts = append(p.accounts, value)
	case len(parts) == 6 && parts[0] == "arn" && parts[2] == "iam" && parts[5] == "root":
		p.accounts = append(p.accounts, parts[4])
	case len(parts) >= 6 && parts[0] == "arn" && !strings.Contains(value, "*"):
		p.arns = append(p.arns, value)
	default:
		return false
	}
	return true
}

func isAccountID(id string) bool {
	return len(id) == 12 && strings.Trim(id, "0123456789") == ""
}
