package policy

import (
	"bytes"
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

// decode decodes JSON like encoding/json, but with case-sensitive and unique names.
func decode(document []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	value, err := decodeValue(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return value, nil
}

func decodeValue(decoder *json.Decoder, depth int) (value any, err error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch opening, _ := token.(json.Delim); opening {
	case '{':
		value, err = decodeObject(decoder, depth+1)
	case '[':
		value, err = decodeList(decoder, depth+1)
	default:
		if text, _ := token.(string); strings.ContainsRune(text, escape) {
			return nil, errNUL
		}
		return token, nil
	}
	if err == nil {
		_, err = decoder.Token() // the closing delimiter
	}
	return value, err
}

func decodeObject(decoder *json.Decoder, depth int) (object, error) {
	members := object{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if _, twice := members[name]; twice {
			return nil, errDuplicate
		}
		if members[name], err = decodeValue(decoder, depth); err != nil {
			return nil, err
		}
	}
	return members, nil
}

func decodeList(decoder *json.Decoder, depth int) ([]any, error) {
	list := []any{}
	for decoder.More() {
		value, err := decodeValue(decoder, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, nil
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
