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

// maxDepth of a document: a value of a condition is no deeper.
const maxDepth = 8

var (
	errDuplicate = errors.New("a name stands twice in one object")
	errTooDeep   = errors.New("the document is nested too deeply")
	errTrailing  = errors.New("something stands behind the document")
	errNUL       = errors.New("a string holds the character NUL")
)

// decode reads JSON as encoding/json does, but tells names apart by case, and
// lets none stand twice in one object.
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
		_, err = decoder.Token() // the closing one
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

// onlyHas reports whether an object has no members but these, and none that is null.
func (o object) onlyHas(names ...string) bool {
	for name, value := range o {
		if value == nil || !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// names of the members, sorted.
func (o object) names() []string { return slices.Sorted(maps.Keys(o)) }

// string is a member that is a string, or is not there.
func (o object) string(name string) (value string, ok bool) {
	member, there := o[name]
	if !there {
		return "", true
	}
	value, ok = member.(string)
	return value, ok
}

// stringsOf is a value that is a string, or a list of them.
func stringsOf(value any) ([]string, bool) {
	return listOf(value, func(item any) (string, bool) {
		text, ok := item.(string)
		return text, ok
	})
}

// scalarsOf is a value that is a string, a number or a boolean, or a list of
// them, all as text.
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

// listOf reads a list, or the one value that may stand for it.
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
