package image

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Parameter is a public parameter in a region.
type Parameter struct {
	// Name is its path: /aws/service/….
	Name, Value string
	Modified    time.Time
}

// A parameter is one of an image, with what it says of the image.
type parameter struct {
	name string
	is   value
}

type value int

const (
	valueID value = iota
	valueName
	valueRelease
	valueRecommended // all of them, as JSON
)

// A located parameter is that of an entry.
type located struct {
	entry int
	is    value
}

// eksParameters returns the parameters of EKS's image of a kind, whose newest image
// has a name.
func eksParameters(path, name string) []parameter {
	all := []parameter{{path + "/recommended", valueRecommended}, {path + "/" + name, valueRecommended}}
	for _, under := range []string{path + "/recommended", path + "/" + name} {
		all = append(all, parameter{under + "/image_id", valueID}, parameter{under + "/image_name", valueName}, parameter{under + "/release_version", valueRelease})
	}
	return all
}

func index(entries []entry) catalog {
	c := catalog{entries: entries, parameters: map[string]located{}}
	for i, e := range entries {
		for _, p := range e.parameters {
			c.parameters[p.name] = located{i, p.is}
		}
	}
	c.sorted = slices.Sorted(maps.Keys(c.parameters))
	return c
}

// Named returns the public parameter with a name in a region.
func Named(region, name string) (Parameter, bool) {
	c := catalogue()
	at, ok := c.parameters[name]
	if !ok {
		return Parameter{}, false
	}
	return Parameter{Name: name, Value: c.entries[at.entry].value(at.is, region), Modified: c.entries[at.entry].Created}, true
}

// Under returns the names of the public parameters whose paths begin with a path,
// sorted.
func Under(path string) []string {
	prefix := strings.TrimSuffix(path, "/") + "/"
	return slices.Collect(func(yield func(string) bool) {
		for _, name := range catalogue().sorted {
			if strings.HasPrefix(name, prefix) && !yield(name) {
				return
			}
		}
	})
}

// value returns what a parameter says of an image in a region.
func (e entry) value(is value, region string) string {
	switch is {
	case valueName:
		return e.Name
	case valueRelease:
		return e.release
	case valueRecommended:
		text, _ := json.Marshal(struct { // strings always encode
			Schema  string `json:"schema_version"`
			ID      string `json:"image_id"`
			Name    string `json:"image_name"`
			Release string `json:"release_version"`
		}{"2", idOf(region, e.Name), e.Name, e.release})
		return string(text)
	}
	return idOf(region, e.Name)
}
