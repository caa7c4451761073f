package policy

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
)

// An object of JSON.
type object map[string]any

// maxDepth bounds the nesting of a document: that of a condition's value.
const maxDepth = 8

var (
	errDuplicate = errors.New("a name is in one object twice")
	errTooDeep   = errors.New("the document is nested too deeply")
	errTrailing  = errors.New("trailing data after the document")
	errNUL       = errors.New("a string contains the character NUL")
)

// A span is where a statement is in a document, in bytes.
type span struct{ begin, end int64 }

// A decoder decodes a document, and notes where its parts are.
type decoder struct {
	*json.Decoder
	names      []string // of the document's members, in their order
	statements []span
}

// decode decodes JSON like encoding/json, but with case-sensitive and unique names.
func (d *decoder) decode() (any, error) {
	d.UseNumber()
	value, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return value, nil
}

func (d *decoder) value(depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	return d.valueFrom(token, depth)
}

// valueFrom decodes a value after its first token.
func (d *decoder) valueFrom(token json.Token, depth int) (value any, err error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch opening, _ := token.(json.Delim); opening {
	case '{':
		value, err = d.object(depth + 1)
	case '[':
		value, err = d.list(depth+1, func(span) {})
	default:
		if text, _ := token.(string); strings.ContainsRune(text, escape) {
			return nil, errNUL
		}
		return token, nil
	}
	if err == nil {
		_, err = d.Token() // the closing delimiter
	}
	return value, err
}

func (d *decoder) object(depth int) (object, error) {
	members := object{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if _, twice := members[name]; twice {
			return nil, errDuplicate
		}
		read := d.value
		if depth == 1 {
			d.names = append(d.names, name)
			if name == "Statement" {
				read = d.statement
			}
		}
		if members[name], err = read(depth); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// list decodes a list and calls found with the span of each item. It begins at the end of
// the token before the item, as AWS counts.
func (d *decoder) list(depth int, found func(span)) ([]any, error) {
	list, begin := []any{}, d.InputOffset()
	for d.More() {
		value, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		found(span{begin, d.InputOffset()})
		list, begin = append(list, value), d.InputOffset()
	}
	return list, nil
}

// statement decodes the statements. A single one without a list begins behind its
// brace, as AWS counts.
func (d *decoder) statement(depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	begin := d.InputOffset()
	if token != json.Delim('[') {
		value, err := d.valueFrom(token, depth)
		d.statements = []span{{begin, d.InputOffset()}}
		return value, err
	}
	value, err := d.list(depth+1, func(s span) { d.statements = append(d.statements, s) })
	if err == nil {
		_, err = d.Token() // the closing delimiter
	}
	return value, err
}

// onlyHas reports whether an object has only these members, and none is null.
func (o object) onlyHas(names ...string) bool {
	for name, value := range o {
		if value == nil || !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// names returns the names of the members, sorted.
func (o object) names() []string { return slices.Sorted(maps.Keys(o)) }

// string returns a member that must be a string, or empty if it is missing.
func (o object) string(name string) (value string, ok bool) {
	member, there := o[name]
	if !there {
		return "", true
	}
	value, ok = member.(string)
	return value, ok
}

// stringsOf returns a value that is a string or a list of strings.
func stringsOf(value any) ([]string, bool) {
	return listOf(value, func(item any) (string, bool) {
		text, ok := item.(string)
		return text, ok
	})
}

// scalarsOf returns, as text, a value that is a string, a number or a boolean, or a
// list of them.
func scalarsOf(value any) ([]string, bool) {
	return listOf(value, func(item any) (string, bool) {
		switch item := item.(type) {
		case string:
			return item, true
		case json.Number:
			return item.String(), true
		case bool:
			if item {
				return "true", true
			}
			return "false", true
		default:
			return "", false
		}
	})
}

// listOf returns a list; a single value counts as a list of one.
func listOf[T any](value any, read func(any) (T, bool)) ([]T, bool) {
	items, isList := value.([]any)
	if !isList {
		items = []any{value}
	}
	list := make([]T, len(items))
	for i, item := range items {
		var ok bool
		if list[i], ok = read(item); !ok {
			return nil, false
		}
	}
	return list, true
}
