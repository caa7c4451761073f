package policy

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// MalformedError means that a document is not a valid policy. Its text is AWS's.
type MalformedError struct {
	Reason string
	rank   rank
}

func (e *MalformedError) Error() string { return e.Reason }

// A rank orders errors: of a document with several, AWS reports one of the lowest rank.
type rank int

const (
	ofSyntax rank = iota
	ofVersion
	ofLegacy
	ofSids
	ofNoAction
	ofNoResource
	ofResource
	ofAction
)

func malformed(r rank, reason string) *MalformedError { return &MalformedError{reason, r} }

// unreadable is AWS's error for what only an older parser checks.
func unreadable() *MalformedError { return malformed(ofLegacy, "The policy failed legacy parsing") }

// A language is a type of policy: its kind, what else a statement must contain, and
// AWS's words for its errors.
type language struct {
	kind                                                     Kind
	json, syntax, version, noStatement, sids, effect, action string
	// ranked reports that the error of the lowest rank is reported, not the first.
	ranked bool
	// stored reports that the document was accepted before, and is not refused for
	// what only a later version of this package refuses.
	stored bool
	// managed reports that the document must have the current version.
	managed bool
	check   func(*parser, *statement, object)
}

// A parser parses one document.
type parser struct {
	language
	// variables reports that ${} is a variable; not in the first version.
	variables bool
	err       *MalformedError // of the document so far
}

// refuse notes an error; nil is none.
func (p *parser) refuse(err *MalformedError) {
	if err != nil && (p.err == nil || p.ranked && err.rank < p.err.rank) {
		p.err = err
	}
}

// Parse parses a policy of an identity: an identity policy, a permissions boundary,
// a session policy or a service control policy.
func Parse(document []byte) (*Document, error) { return parse(document, identityLanguage()) }

// ParseManaged parses the document of a managed policy. Unlike others it must have the
// current version.
func ParseManaged(document []byte) (*Document, error) {
	l := identityLanguage()
	l.managed = true
	return parse(document, l)
}

// ParseStored parses a policy that an earlier version of this package may have
// accepted, which was less strict.
func ParseStored(document []byte) (*Document, error) {
	l := identityLanguage()
	l.stored = true
	return parse(document, l)
}

// identityLanguage returns the language of policies of identities.
func identityLanguage() language {
	const syntax = "Syntax errors in policy."
	return language{
		json: syntax, syntax: syntax, version: syntax, noStatement: syntax, effect: syntax, ranked: true,
		sids:   "Statement IDs (SID) in a single policy must be unique.",
		action: "Policy statement must contain actions.",
		check: func(p *parser, s *statement, raw object) {
			if raw["Principal"] != nil || raw["NotPrincipal"] != nil {
				p.refuse(malformed(ofLegacy, "Policy document should not specify a principal."))
			}
			p.actions(s, raw, checkAction)
			p.resources(s, raw)
		},
	}
}

// ParseTrust parses the trust policy of a role.
func ParseTrust(document []byte) (*Document, error) { return parse(document, trustLanguage()) }

// ParseStoredTrust is to ParseTrust what [ParseStored] is to Parse.
func ParseStoredTrust(document []byte) (*Document, error) {
	l := trustLanguage()
	l.stored = true
	return parse(document, l)
}

// trustLanguage returns the language of trust policies.
func trustLanguage() language {
	return resourceLanguage(TrustPolicy, func(p *parser, s *statement, raw object) {
		refuse := func(reason string) { p.refuse(malformed(ofSyntax, reason)) }
		checkAction := checkAction
		if !p.stored {
			checkAction = checkTrustAction
			if raw["NotPrincipal"] != nil {
				refuse("AssumeRole policy must not contain NotPrincipal field.")
			}
			if raw["Principal"] == "*" {
				refuse(`AssumeRolepolicy contained an invalid principal: "STAR":"*".`)
			}
		}
		p.principals(s, raw)
		// Without a condition anybody's identity pool could assume the role.
		if raw["Condition"] == nil && s.principals != nil && slices.Contains(s.principals.providers, "cognito-identity.amazonaws.com") {
			refuse("A condition block must be present for the Cognito provider")
		}
		if raw["Resource"] != nil {
			refuse("Has prohibited field Resource")
		}
		if raw["NotResource"] != nil {
			refuse("AssumeRole policy must not contain resources.")
		}
		s.resources.negated = true // everything except the empty string
		p.actions(s, raw, checkAction)
	})
}

// ParseResource parses the policy of a resource other than a role.
func ParseResource(document []byte) (*Document, error) {
	return parse(document, resourceLanguage(ResourcePolicy, func(p *parser, s *statement, raw object) {
		p.principals(s, raw)
		p.actions(s, raw, checkAction)
		p.resources(s, raw)
	}))
}

// resourceLanguage returns the language of resource policies.
func resourceLanguage(kind Kind, check func(*parser, *statement, object)) language {
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
	p := parser{language: l}
	d := p.document(document)
	if p.err != nil {
		return nil, p.err
	}
	return d, nil
}

func (p *parser) document(text []byte) *Document {
	decoder := decoder{Decoder: json.NewDecoder(bytes.NewReader(text))}
	decoded, err := decoder.decode()
	if err != nil {
		p.refuse(malformed(ofSyntax, p.json))
		return nil
	}
	policy, ok := decoded.(object)
	if _, isString := policy.string("Id"); !ok || !isString || !policy.onlyHas("Version", "Id", "Statement") {
		p.refuse(malformed(ofSyntax, p.syntax))
		return nil
	}
	switch policy["Version"] {
	case "2012-10-17":
		p.variables = true
	case nil, "2008-10-17":
		if p.managed {
			p.refuse(malformed(ofVersion, "Policy document must be version 2012-10-17 or greater."))
		}
	default:
		p.refuse(malformed(ofSyntax, p.version))
	}
	if p.kind == "" && !p.stored {
		// The older parser takes nothing before the brace, and wants the version before a
		// statement without a list.
		version, statement := slices.Index(decoder.names, "Version"), slices.Index(decoder.names, "Statement")
		_, single := policy["Statement"].(object)
		if text[0] != '{' || single && version > statement {
			p.refuse(unreadable())
		}
	}
	raw, ok := listOf(policy["Statement"], func(item any) (object, bool) {
		statement, ok := item.(object)
		return statement, ok
	})
	if !ok || len(raw) == 0 {
		p.refuse(malformed(ofSyntax, p.noStatement))
		return nil
	}
	d := &Document{kind: p.kind, statements: make([]statement, len(raw))}
	sids, place := map[string]bool{}, placer{text: text, position: Position{1, 1}}
	for i := range raw {
		s, at := &d.statements[i], decoder.statements[i]
		s.start, s.end = place.of(at.begin), place.of(at.end)
		p.statement(s, raw[i])
		if s.sid != "" && sids[s.sid] {
			p.refuse(malformed(ofSids, p.sids))
		}
		sids[s.sid] = true
	}
	return d
}

// A placer turns offsets in a text, in ascending order, into positions.
type placer struct {
	text     []byte
	offset   int64
	position Position
}

func (p *placer) of(offset int64) Position {
	between := p.text[p.offset:offset]
	p.offset = offset
	if line := bytes.LastIndexByte(between, '\n'); line >= 0 {
		p.position.Line += bytes.Count(between, []byte("\n"))
		p.position.Column, between = 1, between[line+1:]
	}
	p.position.Column += utf8.RuneCount(between)
	return p.position
}

var sidPattern = pattern.New(`^[0-9A-Za-z]*$`)

func (p *parser) statement(s *statement, raw object) {
	var isString bool
	s.sid, isString = raw.string("Sid")
	if !isString || !raw.onlyHas("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition") {
		p.refuse(malformed(ofSyntax, p.syntax))
		return
	}
	if !sidPattern.MatchString(s.sid) {
		p.refuse(malformed(ofSids, "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"))
	}
	switch effect, isString := raw.string("Effect"); {
	case effect == "Allow":
	case effect == "Deny":
		s.deny = true
	case strings.EqualFold(effect, "Allow") || strings.EqualFold(effect, "Deny"):
		p.refuse(unreadable())
	case isString && effect == "":
		p.refuse(malformed(ofSyntax, p.effect))
	default:
		p.refuse(malformed(ofSyntax, p.syntax))
	}
	p.check(p, s, raw)
	p.conditions(s, raw)
}

// oneOf returns an element or its negation, and refuses both together.
func (p *parser) oneOf(raw object, element string) (list []string, negated, ok bool) {
	value, other := raw[element], raw["Not"+element]
	if value != nil && other != nil {
		p.refuse(malformed(ofSyntax, p.syntax))
		return nil, false, false
	}
	if other != nil {
		value = other
	}
	if value == nil {
		return nil, false, true
	}
	list, ok = stringsOf(value)
	if !ok {
		p.refuse(malformed(ofSyntax, p.syntax))
	}
	return list, other != nil, ok
}

func (p *parser) actions(s *statement, raw object, check func(action string) *MalformedError) {
	list, negated, ok := p.oneOf(raw, "Action")
	if !ok {
		return
	}
	if len(list) == 0 {
		p.refuse(malformed(ofNoAction, p.action))
	}
	s.actions.negated = negated
	for _, action := range list {
		p.refuse(check(action))
		s.actions.list = append(s.actions.list, text{literal: pattern.Lower(action)})
	}
}

var vendorPattern = pattern.New(`^[a-zA-Z0-9.-]+$`)

func checkAction(action string) *MalformedError {
	vendor, name, found := strings.Cut(action, ":")
	switch {
	case action == "*":
		return nil
	case !found:
		return malformed(ofAction, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	case strings.Contains(name, ":"):
		return malformed(ofAction, "Actions/Condition can contain only one colon.")
	case strings.ContainsAny(vendor, "*?"):
		return malformed(ofAction, "Action vendors (e.g., aws, ec2, etc.) must not contain wildcards.")
	case !vendorPattern.MatchString(vendor):
		return malformed(ofAction, "Vendor "+vendor+" is not valid")
	default:
		return nil
	}
}

// checkTrustAction rejects wildcards and is case sensitive, like AWS.
func checkTrustAction(action string) *MalformedError {
	switch action {
	case "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext":
		return nil
	default:
		return malformed(ofAction, "AssumeRole policy may only specify STS AssumeRole actions.")
	}
}
