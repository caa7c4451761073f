package policy

import (
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// MalformedError means that a document is not a valid policy. Its text is AWS's.
type MalformedError struct{ Reason string }

func (e *MalformedError) Error() string { return e.Reason }

func malformed(reason string) error { return &MalformedError{reason} }

// unreadable is AWS's error for values that only an older parser checks.
const unreadable = "The policy failed legacy parsing"

// A language is a type of policy: its kind, what else a statement must contain, and
// AWS's words for its errors.
type language struct {
	kind                                                     Kind
	json, syntax, version, noStatement, sids, effect, action string
	check                                                    func(*parser, *statement, object) error
}

// A parser parses one document.
type parser struct {
	language
	// variables reports that ${} is a variable; not in the first version.
	variables bool
}

// Parse parses a policy of an identity: an identity policy, a permissions boundary
// or a session policy.
func Parse(document []byte) (*Document, error) {
	const syntax = "Syntax errors in policy."
	return parse(document, language{
		json: syntax, syntax: syntax, version: syntax, noStatement: syntax, effect: syntax,
		sids:   "Statement IDs (SID) in a single policy must be unique.",
		action: "Policy statement must contain actions.",
		check: func(p *parser, s *statement, raw object) error {
			if raw["Principal"] != nil || raw["NotPrincipal"] != nil {
				return malformed("Policy document should not specify a principal.")
			}
			if err := p.actions(s, raw, checkAction); err != nil {
				return err
			}
			return p.resources(s, raw)
		},
	})
}

// ParseTrust parses the trust policy of a role.
func ParseTrust(document []byte) (*Document, error) {
	return parse(document, ofResource(TrustPolicy, func(p *parser, s *statement, raw object) error {
		if raw["NotPrincipal"] != nil {
			return malformed("AssumeRole policy must not contain NotPrincipal field.")
		}
		if raw["Principal"] == "*" {
			return malformed(`AssumeRolepolicy contained an invalid principal: "STAR":"*".`)
		}
		if err := p.principals(s, raw); err != nil {
			return err
		}
		// Without a condition anybody's identity pool could assume the role.
		if raw["Condition"] == nil && slices.Contains(s.principals.providers, "cognito-identity.amazonaws.com") {
			return malformed("A condition block must be present for the Cognito provider")
		}
		if raw["Resource"] != nil {
			return malformed("Has prohibited field Resource")
		}
		if raw["NotResource"] != nil {
			return malformed("AssumeRole policy must not contain resources.")
		}
		s.resources.negated = true // everything except the empty string
		return p.actions(s, raw, checkTrustAction)
	}))
}

// ParseResource parses the policy of a resource other than a role.
func ParseResource(document []byte) (*Document, error) {
	return parse(document, ofResource(ResourcePolicy, func(p *parser, s *statement, raw object) error {
		if err := p.principals(s, raw); err != nil {
			return err
		}
		if err := p.actions(s, raw, checkAction); err != nil {
			return err
		}
		return p.resources(s, raw)
	}))
}

// ofResource returns the language of resource policies.
func ofResource(kind Kind, check func(*parser, *statement, object) error) language {
	return language{
		kind: kind, check: check,
		json:        "This policy contains invalid Json",
		syntax:      "Syntax error in policy.",
		version:     "The policy must contain a valid version string",
		noStatement: "Could not parse the policy: Statement is empty!",
		sids:        "The Statement Ids in the policy are not unique",
		effect:      "Missing required field Effect",
		action:      "Missing required field Action",
	}
}

func parse(document []byte, l language) (*Document, error) {
	decoded, err := decode(document)
	if err != nil {
		return nil, malformed(l.json)
	}
	policy, ok := decoded.(object)
	if _, isString := policy.string("Id"); !ok || !isString || !policy.onlyHas("Version", "Id", "Statement") {
		return nil, malformed(l.syntax)
	}
	p := parser{language: l}
	switch policy["Version"] {
	case nil, "2008-10-17":
	case "2012-10-17":
		p.variables = true
	default:
		return nil, malformed(l.version)
	}
	raw, ok := listOf(policy["Statement"], func(item any) (object, bool) {
		statement, ok := item.(object)
		return statement, ok
	})
	if !ok || len(raw) == 0 {
		return nil, malformed(l.noStatement)
	}
	d := &Document{kind: l.kind, statements: make([]statement, len(raw))}
	for i := range raw {
		s := &d.statements[i]
		if err := p.statement(s, raw[i]); err != nil {
			return nil, err
		}
		if s.sid != "" && slices.ContainsFunc(d.statements[:i], func(other statement) bool { return other.sid == s.sid }) {
			return nil, malformed(l.sids)
		}
	}
	return d, nil
}

var sidPattern = pattern.New(`^[0-9A-Za-z]*$`)

func (p *parser) statement(s *statement, raw object) error {
	if !raw.onlyHas("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition") {
		return malformed(p.syntax)
	}
	var ok bool
	if s.sid, ok = raw.string("Sid"); !ok {
		return malformed(p.syntax)
	}
	if !sidPattern.MatchString(s.sid) {
		return malformed("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
	}
	switch effect, isString := raw.string("Effect"); {
	case effect == "Allow":
	case effect == "Deny":
		s.deny = true
	case strings.EqualFold(effect, "Allow") || strings.EqualFold(effect, "Deny"):
		return malformed(unreadable)
	case isString && effect == "":
		return malformed(p.effect)
	default:
		return malformed(p.syntax)
	}
	if err := p.check(p, s, raw); err != nil {
		return err
	}
	return p.conditions(s, raw)
}

// oneOf returns an element or its negation, and rejects both together.
func (p *parser) oneOf(raw object, element string) (list []string, negated bool, err error) {
	value, other := raw[element], raw["Not"+element]
	if value != nil && other != nil {
		return nil, false, malformed(p.syntax)
	}
	if other != nil {
		value = other
	}
	if value == nil {
		return nil, false, nil
	}
	list, ok := stringsOf(value)
	if !ok {
		return nil, false, malformed(p.syntax)
	}
	return list, other != nil, nil
}

func (p *parser) actions(s *statement, raw object, check func(action string) error) error {
	list, negated, err := p.oneOf(raw, "Action")
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return malformed(p.action)
	}
	s.actions.negated = negated
	for _, action := range list {
		if err := check(action); err != nil {
			return err
		}
		s.actions.list = append(s.actions.list, text{literal: strings.ToLower(action)})
	}
	return nil
}

var vendorPattern = pattern.New(`^[a-zA-Z0-9.-]+$`)

func checkAction(action string) error {
	vendor, name, found := strings.Cut(action, ":")
	switch {
	case action == "*":
		return nil
	case !found:
		return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	case strings.Contains(name, ":"):
		return malformed("Actions/Condition can contain only one colon.")
	case strings.ContainsAny(vendor, "*?"):
		return malformed("Action vendors (e.g., aws, ec2, etc.) must not contain wildcards.")
	case !vendorPattern.MatchString(vendor):
		return malformed("Vendor " + vendor + " is not valid")
	default:
		return nil
	}
}

// checkTrustAction rejects wildcards and is case sensitive, like AWS.
func checkTrustAction(action string) error {
	switch action {
	case "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext":
		return nil
	default:
		return malformed("AssumeRole policy may only specify STS AssumeRole actions.")
	}
}
