package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// MalformedError means that a document is no policy. Its text is what AWS says.
type MalformedError struct{ Reason string }

func (e *MalformedError) Error() string { return e.Reason }

func malformed(reason string) error { return &MalformedError{reason} }

// Parse parses an identity policy.
func Parse(document []byte) (*Document, error) {
	return parse(document, "Syntax errors in policy.", func(s *statement, raw *rawStatement) error {
		if raw.Principal != nil || raw.NotPrincipal != nil {
			return malformed("Policy document should not specify a principal.")
		}
		var err error
		s.resources, err = oneOf(raw.Resource, raw.NotResource, "Policy statement must contain resources.")
		if err != nil {
			return err
		}
		for _, resource := range s.resources.list {
			if resource != "*" && !strings.HasPrefix(resource, "arn:") {
				return malformed(`Resource ` + resource + ` must be in ARN format or "*".`)
			}
		}
		return nil
	})
}

// ParseTrust parses the trust policy of a role.
func ParseTrust(document []byte) (*Document, error) {
	return parse(document, "This policy contains invalid Json", func(s *statement, raw *rawStatement) error {
		if raw.Resource != nil || raw.NotResource != nil {
			return malformed("Has prohibited field Resource")
		}
		s.resources = patterns{list: []string{"*"}}
		for _, action := range s.actions.list {
			if !strings.HasPrefix(strings.ToLower(action), "sts:") {
				return malformed("AssumeRole policy may only specify STS AssumeRole actions.")
			}
		}
		return s.setPrincipals(raw)
	})
}

// rawStatement is a statement as it is written.
type rawStatement struct {
	Sid          string
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Action       *stringList
	NotAction    *stringList
	Resource     *stringList
	NotResource  *stringList
	Condition    map[string]map[string]valueList
}

func parse(document []byte, syntax string, finish func(*statement, *rawStatement) error) (*Document, error) {
	var raw struct {
		Version   string
		ID        string `json:"Id"`
		Statement statementList
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&raw); err != nil {
		if reason, ok := errors.AsType[*MalformedError](err); ok {
			return nil, reason
		}
		return nil, malformed(syntax)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed(syntax)
	}
	if raw.Version != "" && raw.Version != "2012-10-17" && raw.Version != "2008-10-17" {
		return nil, malformed("The policy must contain a valid version string.")
	}
	if len(raw.Statement) == 0 {
		return nil, malformed(syntax)
	}
	var d Document
	sids := map[string]bool{}
	for i := range raw.Statement {
		r := &raw.Statement[i]
		if r.Sid != "" && sids[r.Sid] {
			return nil, malformed("Statement IDs (SID) in a single policy must be unique.")
		}
		sids[r.Sid] = true
		s, err := r.common()
		if err != nil {
			return nil, err
		}
		if err := finish(&s, r); err != nil {
			return nil, err
		}
		d.statements = append(d.statements, s)
	}
	return &d, nil
}

// common parses what all kinds of policy have.
func (r *rawStatement) common() (statement, error) {
	s := statement{sid: r.Sid}
	switch r.Effect {
	case "Allow":
	case "Deny":
		s.deny = true
	default:
		return s, malformed("Syntax errors in policy.")
	}
	var err error
	if s.actions, err = oneOf(r.Action, r.NotAction, "Policy statement must contain actions."); err != nil {
		return s, err
	}
	for _, action := range s.actions.list {
		if vendor, _, ok := strings.Cut(action, ":"); action != "*" && (!ok || vendor == "") {
			return s, malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
		}
	}
	s.conditions, err = parseConditions(r.Condition)
	return s, err
}

// oneOf is the list, or the negated one; just one of them must be there.
func oneOf(list, negated *stringList, missing string) (patterns, error) {
	switch {
	case (list == nil) == (negated == nil):
		return patterns{}, malformed(missing)
	case list != nil && len(*list) > 0:
		return patterns{list: *list}, nil
	case negated != nil && len(*negated) > 0:
		return patterns{list: *negated, negated: true}, nil
	default:
		return patterns{}, malformed(missing)
	}
}

func (s *statement) setPrincipals(raw *rawStatement) error {
	value := raw.Principal
	s.principals = &principals{}
	if value == nil {
		value, s.principals.negated = raw.NotPrincipal, true
	}
	if value == nil || raw.Principal != nil && raw.NotPrincipal != nil {
		return malformed("Missing required field Principal")
	}
	var anyone string
	if json.Unmarshal(value, &anyone) == nil {
		if anyone != "*" {
			return malformed("Invalid principal in policy")
		}
		s.principals.anyone = true
		return nil
	}
	var kinds map[string]stringList
	if err := json.Unmarshal(value, &kinds); err != nil || len(kinds) == 0 {
		return malformed("Invalid principal in policy")
	}
	for kind, values := range kinds {
		switch kind {
		case "AWS":
			for _, value := range values {
				if !s.principals.add(value) {
					return malformed(`Invalid principal in policy: "AWS":"` + value + `"`)
				}
			}
		case "Service":
			s.principals.services = append(s.principals.services, values...)
		default:
			return malformed("Invalid principal in policy: only AWS and Service are supported here")
		}
	}
	return nil
}

// A stringList is written as a list or as one string.
type stringList []string

// UnmarshalJSON reads both.
func (l *stringList) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*l = []string{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// A valueList is a list, or one, of strings, numbers and booleans.
type valueList []string

// UnmarshalJSON reads them all as text.
func (l *valueList) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		list = []json.RawMessage{text}
	}
	for _, item := range list {
		var value string
		if err := json.Unmarshal(item, &value); err != nil {
			value = string(bytes.TrimSpace(item))
			if value == "" || strings.ContainsAny(value[:1], "[{n") {
				return malformed("Syntax errors in policy.")
			}
		}
		*l = append(*l, value)
	}
	return nil
}

// A statementList is written as a list or as one statement.
type statementList []rawStatement

// UnmarshalJSON reads both, and no field that is none of a statement's.
func (l *statementList) UnmarshalJSON(text []byte) error {
	strict := func(into any) error {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		return decoder.Decode(into)
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		*l = make([]rawStatement, 1)
		return strict(&(*l)[0])
	}
	return strict((*[]rawStatement)(l))
}
