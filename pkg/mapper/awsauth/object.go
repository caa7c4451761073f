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
}

// ParseObject reads an object by the rules of an entry of mapRoles or mapUsers. Rule is
// its place. It reports whether the entry is kept: a kept entry may still be inert.
func ParseObject(o Object, rule mapper.Rule, opts Options) (entry mapper.Entry, kept bool, problems []mapper.Problem) {
	r := newReading(nil, opts)
	entry.Rule = rule
	kept = r.readObject(&entry, o)
	for i := range r.problems {
		r.problems[i].Edit = mapper.Edit{} // there is no text to edit
	}
	return entry, kept, r.problems
}

func (r *reading) readObject(entry *mapper.Entry, o Object) bool {
	place, at := entry.Rule.Section, &yaml.Node{}
	r.principal = bounded(o.ARN)
	f := fields{at: at, arn: textNode(o.ARN), username: textNode(o.Username), groups: &yaml.Node{Kind: yaml.SequenceNode}}
	for _, group := range o.Groups {
		f.groups.Content = append(f.groups.Content, textNode(group))
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

func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: text}
}
