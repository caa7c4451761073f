package awsauth

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// An Object is a mapping that is an object of its own, not an entry of a list.
type Object struct {
	ARN, Username string
	Groups        []string
	// Places are the places of the values in a file; zero for an object of the API server.
	Places Places
}

// Places are the places of an object in a text. Those of its groups may be missing.
type Places struct {
	Object, ARN, Username Place
	Groups                []Place
}

// A Place is a line and a column, which count from 1; zero if it is unknown.
type Place struct{ Line, Column int }

// ParseObject reads an object by the rules of an entry of mapRoles or mapUsers. Rule is
// its place. It reports whether the entry is kept: a kept entry may still be inert.
func ParseObject(o Object, rule mapper.Rule, opts Options) (entry mapper.Entry, kept bool, problems []mapper.Problem) {
	r := newReading(nil, opts)
	entry.Rule, entry.Column = rule, o.Places.Object.Column
	kept = r.readObject(&entry, o)
	if o.Places.Object == (Place{}) {
		for i := range r.problems {
			r.problems[i].Edit = mapper.Edit{} // there is no text to edit
		}
	}
	return entry, kept, r.problems
}

func (r *reading) readObject(entry *mapper.Entry, o Object) bool {
	place, at := entry.Rule.Section, &yaml.Node{Line: o.Places.Object.Line, Column: o.Places.Object.Column}
	r.principal = bounded(o.ARN)
	f := fields{at: at, arn: textNode(o.ARN, o.Places.ARN), username: textNode(o.Username, o.Places.Username), groups: &yaml.Node{Kind: yaml.SequenceNode}}
	for i, group := range o.Groups {
		where := o.Places.Object
		if i < len(o.Places.Groups) {
			where = o.Places.Groups[i]
		}
		f.groups.Content = append(f.groups.Content, textNode(group, where))
	}
	if o.ARN == "" {
		r.drop(mapper.EntryNoARN, place, at, "the object has no arn", "add arn")
		return false
	}
	if len(o.Groups) > maxGroups {
		r.drop(mapper.EntryTooLong, place, at, fmt.Sprintf("the object has more than %d groups", maxGroups), "write fewer groups")
		return false
	}
	kind, ok := r.readARN(entry, place, f.arn)
	if !ok {
		return false
	}
	if entry.Inert != "" {
		r.readSilently(entry, kind, place, f)
		return true
	}
	return r.readObjectUser(entry, kind, f)
}

func (r *reading) readObjectUser(entry *mapper.Entry, kind identity.Kind, f fields) bool {
	var shared sharedUsernames
	if !r.readUsername(entry, kind, entry.Rule.Section, f, &shared) {
		return false
	}
	entry.Groups = r.readGroups(entry.Rule.Section, f)
	shared.report(r, entry.Rule.Section)
	return true
}

func textNode(text string, at Place) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: text, Line: at.Line, Column: at.Column}
}
