package ec2

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// maxTags bounds the tags of one resource.
const maxTags = 50

func tagOperations() []api.Operation {
	return []api.Operation{change("CreateTags", createTags), change("DeleteTags", deleteTags), describe("DescribeTags", describeTags)}
}

// A tag may lack its value only in DeleteTags.
type tag struct {
	Key   string  `xml:"key"`
	Value *string `xml:"value"`
}

func (t tag) value() string {
	if t.Value == nil {
		return ""
	}
	return *t.Value
}

// tagsOf checks the tags of a call.
func tagsOf(given []tag) (map[string]string, error) {
	tags := map[string]string{}
	for _, t := range given {
		switch _, twice := tags[t.Key]; {
		case twice:
			return nil, invalid("Duplicate tag key '" + t.Key + "' specified.")
		case t.Key == "" || len([]rune(t.Key)) > 127 || len([]rune(t.value())) > 256:
			return nil, invalid("Tag " + strconv.Quote(t.Key) + " is invalid. A key has 1 to 127 characters, a value up to 256.")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, invalid("Tag keys starting with 'aws:' are reserved for internal use")
		}
		tags[t.Key] = t.value()
	}
	if len(tags) > maxTags {
		return nil, tagLimitExceeded()
	}
	return tags, nil
}

func tagLimitExceeded() error {
	return refuse("TagLimitExceeded", fmt.Sprintf("A resource cannot have more than %d tags.", maxTags))
}

// A tagSpecification has the tags for the resources of one type that a call makes.
type tagSpecification struct {
	Kind string `ec2:"ResourceType" xml:"resourceType"`
	Tag  []tag  `xml:"tagSet>item"`
}

// specified returns the tags for each of the kinds that a call makes.
func specified(all []tagSpecification, kinds ...string) (map[string]map[string]string, error) {
	found := map[string]map[string]string{}
	for _, s := range all {
		if _, twice := found[s.Kind]; twice || !slices.Contains(kinds, s.Kind) {
			return nil, invalid("'" + s.Kind + "' is not a valid taggable resource type for this operation: expected once " + strings.Join(kinds, ", ") + ".")
		}
		tags, err := tagsOf(s.Tag)
		if err != nil {
			return nil, err
		}
		found[s.Kind] = tags
	}
	for _, kind := range kinds {
		if found[kind] == nil {
			found[kind] = map[string]string{}
		}
	}
	return found, nil
}

// taggingInput is the input of CreateTags and DeleteTags.
type taggingInput struct {
	dryRun
	IDs []string `ec2:"ResourceId,required"`
	Tag []tag
}

func (in taggingInput) check() error {
	_, err := tagsOf(in.Tag)
	return err
}

// tagged returns the resources that a call names and may tag, and the tags.
func (in taggingInput) tagged(c *call) ([]resource, map[string]string, error) {
	tags, err := tagsOf(in.Tag)
	if err != nil {
		return nil, nil, err
	}
	var found []resource
	for _, id := range in.IDs {
		r, err := c.resource(id)
		if r.noun == "" {
			return nil, nil, err
		}
		g := grant{c.Operation, c.arn(r.noun, id), api.RequestTags(tags)}
		if err == nil {
			g.keys = api.Merged(g.keys, c.keysOf(r))
		}
		if denied := c.authorize(g); denied != nil {
			return nil, nil, denied
		}
		if err != nil {
			return nil, nil, err
		}
		found = append(found, r)
	}
	return found, tags, c.permit()
}

// resource returns the resource with an ID, of any kind. With an error, it has the noun
// of its kind.
func (c *call) resource(id string) (resource, error) {
	for _, k := range kinds() {
		if strings.HasPrefix(id, k.begins()) {
			return k.resource(c, id)
		}
	}
	return resource{}, unsupported("InvalidID", "The ID '"+id+"' is not valid: localaws has no such kind of resource with tags.")
}

func createTags(c *call, in taggingInput) (any, error) {
	found, tags, err := in.tagged(c)
	if err != nil {
		return nil, err
	}
	if len(tags) == 0 {
		return nil, missing("Tag")
	}
	for _, r := range found {
		after := maps.Clone(tags)
		maps.Copy(after, *r.tagged())
		if len(after) > maxTags {
			return nil, tagLimitExceeded()
		}
	}
	for _, r := range found {
		fill(r.tagged())
		maps.Copy(*r.tagged(), tags)
	}
	return nil, nil
}

// deleteTags deletes the named tags, only if the value matches where one is given.
// Without any tags, it deletes all.
func deleteTags(c *call, in taggingInput) (any, error) {
	found, _, err := in.tagged(c)
	if err != nil {
		return nil, err
	}
	for _, r := range found {
		tags := *r.tagged()
		if len(in.Tag) == 0 {
			clear(tags)
		}
		for _, t := range in.Tag {
			if t.Value == nil || tags[t.Key] == *t.Value {
				delete(tags, t.Key)
			}
		}
	}
	return nil, nil
}

type xmlTag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// xmlTags returns the tags of a resource; nil if it has none.
func xmlTags(tags map[string]string) *items[xmlTag] {
	if len(tags) == 0 {
		return nil
	}
	list := &items[xmlTag]{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list.Item = append(list.Item, xmlTag{key, tags[key]})
	}
	return list
}

type xmlTagDescription struct {
	ResourceID   string `xml:"resourceId"`
	ResourceType string `xml:"resourceType"`
	Key          string `xml:"key"`
	Value        string `xml:"value"`
}

func (x xmlTagDescription) tags() map[string]string { return map[string]string{x.Key: x.Value} }

type tagsInput struct {
	listing
	paging
}

func describeTags(c *call, in tagsInput) (any, error) {
	var all []xmlTagDescription
	for _, k := range kinds() {
		for _, r := range k.resources(c) {
			for key, value := range *r.tagged() {
				all = append(all, xmlTagDescription{r.id(), r.noun, key, value})
			}
		}
	}
	order := func(t xmlTagDescription) string { return t.ResourceID + "/" + t.Key }
	slices.SortFunc(all, func(a, b xmlTagDescription) int { return strings.Compare(order(a), order(b)) })
	all, err := filtered(in.Filter, all, map[string]field[xmlTagDescription]{
		"key":           one(func(t xmlTagDescription) string { return t.Key }),
		"value":         one(func(t xmlTagDescription) string { return t.Value }),
		"resource-id":   one(func(t xmlTagDescription) string { return t.ResourceID }),
		"resource-type": one(func(t xmlTagDescription) string { return t.ResourceType }),
	}, xmlTagDescription.tags)
	if err != nil {
		return nil, err
	}
	return page(in.paging, "tagSet", all, order, func(t xmlTagDescription) xmlTagDescription { return t })
}
