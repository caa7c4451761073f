package localaws

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const maxTags = 50 // per resource

func instanceTagOperations() map[string]operation {
	return map[string]operation{
		"CreateTags":   change(createTags, "ResourceId.N", "Tag.N.Key", "Tag.N.Value"),
		"DeleteTags":   change(deleteTags, "ResourceId.N", "Tag.N.Key", "Tag.N.Value"),
		"DescribeTags": describe(describeTags, slices.Concat(filterParameters(), pageParameters())...),
	}
}

// ec2Tags reads the tags under a prefix: Prefix.1.Key, Prefix.1.Value.
func (p *parameters) ec2Tags(prefix string) (map[string]string, *Error) {
	tags := map[string]string{}
	has := func(n int) bool {
		return p.has(prefix+"."+strconv.Itoa(n)+".Key") || p.has(prefix+"."+strconv.Itoa(n)+".Value")
	}
	for n := 1; has(n); n++ {
		key, value := p.get(prefix+"."+strconv.Itoa(n)+".Key"), p.get(prefix+"."+strconv.Itoa(n)+".Value")
		switch _, twice := tags[key]; {
		case twice:
			return nil, invalidEC2("Duplicate tag key '" + key + "' specified.")
		case key == "" || len([]rune(key)) > 127 || len([]rune(value)) > 256:
			return nil, invalidEC2("Tag " + strconv.Quote(key) + " is invalid. A key has 1 to 127 characters, a value up to 256.")
		case strings.HasPrefix(lower(key), "aws:"):
			return nil, invalidEC2("Tag keys starting with 'aws:' are reserved for internal use")
		}
		tags[key] = value
	}
	if len(tags) > maxTags {
		return nil, tagLimitExceeded()
	}
	return tags, nil
}

func tagLimitExceeded() *Error {
	return newError(http.StatusBadRequest, "TagLimitExceeded", fmt.Sprintf("An instance cannot have more than %d tags.", maxTags))
}

// tagSpecification reads the tags for the instances that a call makes.
func (p *parameters) tagSpecification() (map[string]string, *Error) {
	all := map[string]string{}
	for n := 1; ; n++ {
		prefix := "TagSpecification." + strconv.Itoa(n)
		if !p.has(prefix+".ResourceType") && !p.has(prefix+".Tag.1.Key") {
			return all, nil
		}
		if kind := p.get(prefix + ".ResourceType"); kind != "instance" || n > 1 {
			return nil, invalidEC2("'" + kind + "' is not a valid taggable resource type for this operation: localaws tags instances, once.")
		}
		tags, err := p.ec2Tags(prefix + ".Tag")
		if err != nil {
			return nil, err
		}
		maps.Copy(all, tags)
	}
}

// taggedInstances returns the instances that a call names and may tag, and the
// tags.
func (p *parameters) taggedInstances(action string) ([]*instance, map[string]string, *Error) {
	ids := p.list("ResourceId", "")
	if len(ids) == 0 {
		return nil, nil, missingParameter("ResourceId")
	}
	for _, id := range ids {
		if !strings.HasPrefix(id, "i-") {
			return nil, nil, newError(http.StatusBadRequest, "InvalidID", "The ID '"+id+"' is not valid: localaws tags instances.")
		}
	}
	tags, err := p.ec2Tags("Tag")
	if err != nil {
		return nil, nil, err
	}
	found, err := p.permitted(action, ids, requestTags(tags))
	return found, tags, err
}

func createTags(_ *call, p *parameters) (any, *Error) {
	found, tags, err := p.taggedInstances("CreateTags")
	if err != nil {
		return nil, err
	}
	if len(tags) == 0 {
		return nil, missingParameter("Tag")
	}
	for _, i := range found {
		after := maps.Clone(i.Tags)
		maps.Copy(after, tags)
		if len(after) > maxTags {
			return nil, tagLimitExceeded()
		}
	}
	for _, i := range found {
		maps.Copy(i.Tags, tags)
	}
	return nil, nil
}

// deleteTags deletes the named tags, only if the value matches where one is
// given. Without any tags, it deletes all.
func deleteTags(_ *call, p *parameters) (any, *Error) {
	found, tags, err := p.taggedInstances("DeleteTags")
	if err != nil {
		return nil, err
	}
	for _, i := range found {
		if len(tags) == 0 {
			clear(i.Tags)
		}
		for n := 1; p.has("Tag." + strconv.Itoa(n) + ".Key"); n++ {
			prefix := "Tag." + strconv.Itoa(n)
			if key := p.get(prefix + ".Key"); !p.has(prefix+".Value") || i.Tags[key] == p.get(prefix+".Value") {
				delete(i.Tags, key)
			}
		}
	}
	return nil, nil
}

type xmlTagDescription struct {
	ResourceID   string `xml:"resourceId"`
	ResourceType string `xml:"resourceType"`
	Key          string `xml:"key"`
	Value        string `xml:"value"`
}

func describeTags(c *call, p *parameters) (any, *Error) {
	var all []xmlTagDescription
	for _, i := range c.instances() {
		for key, value := range i.Tags {
			all = append(all, xmlTagDescription{i.ID, "instance", key, value})
		}
	}
	order := func(t xmlTagDescription) string { return t.ResourceID + "/" + t.Key }
	slices.SortFunc(all, func(a, b xmlTagDescription) int { return strings.Compare(order(a), order(b)) })
	all, err := filtered(p, all, tagFilter)
	if err != nil {
		return nil, err
	}
	page, next, err := ec2Page(p, all, order)
	if err != nil {
		return nil, err
	}
	return withNext(fields{element("tagSet", itemsOf(page))}, next), nil
}

// tagFilter returns the function that reads the values that a filter compares.
func tagFilter(name string) func(xmlTagDescription) []string {
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		return func(t xmlTagDescription) []string {
			if t.Key == key {
				return []string{t.Value}
			}
			return nil
		}
	}
	switch name {
	case "key":
		return func(t xmlTagDescription) []string { return []string{t.Key} }
	case "value":
		return func(t xmlTagDescription) []string { return []string{t.Value} }
	case "resource-id":
		return func(t xmlTagDescription) []string { return []string{t.ResourceID} }
	case "resource-type":
		return func(t xmlTagDescription) []string { return []string{t.ResourceType} }
	}
	return nil
}
