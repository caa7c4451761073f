package ec2

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// The input of an operation is a struct. An exported field is the parameter of its
// name, or of the name in its tag: `ec2:"InstanceId,required"`. A field is a string, a
// bool, an int, a pointer to one of these, which is nil if the parameter is missing, a
// struct, whose fields are Name.Field, or a slice of these: Name.1, Name.2. Embedded
// structs are part of the struct.

// A parameter is a field of an input.
type parameter struct {
	name  string // empty for an embedded struct
	index int
	// required reports that the parameter must be present, off that it may only be
	// false: it is something that localaws does not do.
	required, off bool
}

// parametersOf returns the fields of a struct.
func parametersOf(of reflect.Type) []parameter {
	var found []parameter
	for i := range of.NumField() {
		field := of.Field(i)
		if !field.IsExported() && !field.Anonymous {
			continue
		}
		name, option, _ := strings.Cut(field.Tag.Get("ec2"), ",")
		switch {
		case field.Anonymous:
			name = ""
		case name == "":
			name = field.Name
		}
		found = append(found, parameter{name, i, option == "required", option == "off"})
	}
	return found
}

// accepts returns the names of the parameters in an input, as in [api.Facts].
func accepts(of reflect.Type, prefix string) []string {
	switch of.Kind() {
	case reflect.Pointer:
		return accepts(of.Elem(), prefix)
	case reflect.Slice:
		return accepts(of.Elem(), prefix+".N")
	case reflect.Struct:
		var names []string
		for _, p := range parametersOf(of) {
			names = append(names, accepts(of.Field(p.index).Type, joined(prefix, p.name))...)
		}
		return names
	default:
		return []string{prefix}
	}
}

func joined(prefix, name string) string {
	if prefix == "" || name == "" {
		return prefix + name
	}
	return prefix + "." + name
}

// A node is a parameter with what is below it: A.1.B is below A.1, which is below A.
type node struct {
	value string
	given bool
	below map[string]*node
}

// treeOf nests a form.
func treeOf(form api.Form) *node {
	root := &node{}
	for name, values := range form {
		at := root
		for segment := range strings.SplitSeq(name, ".") {
			if at.below == nil {
				at.below = map[string]*node{}
			}
			if at.below[segment] == nil {
				at.below[segment] = &node{}
			}
			at = at.below[segment]
		}
		at.value, at.given = values[0], true
	}
	return root
}

// decode reads the input of an operation from a form.
func decode[In any](form api.Form) (In, error) {
	var in In
	err := decodeInto(reflect.ValueOf(&in).Elem(), treeOf(form), "")
	return in, err // not in one statement, whose order is not specified
}

// decodeInto sets a value to the parameter of a name, which is present.
func decodeInto(into reflect.Value, from *node, name string) (err error) {
	switch into.Kind() {
	case reflect.String:
		into.SetString(from.value)
	case reflect.Bool:
		if from.value != "true" && from.value != "false" {
			return invalid("Value (" + from.value + ") for parameter " + name + " is invalid. Expecting true or false.")
		}
		into.SetBool(from.value == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(from.value, 10, 32)
		if err != nil {
			return invalid("Invalid value '" + from.value + "' for " + name + ". Expecting a number of 32 bits.")
		}
		into.SetInt(n)
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return decodeInto(into.Elem(), from, name)
	case reflect.Slice:
		for n := 1; err == nil; n++ {
			next, ok := from.below[strconv.Itoa(n)]
			if !ok {
				break
			}
			into.Set(reflect.Append(into, reflect.Zero(into.Type().Elem())))
			err = decodeInto(into.Index(n-1), next, name+"."+strconv.Itoa(n))
		}
	case reflect.Struct:
		return decodeFields(into, from, name)
	default:
		return fmt.Errorf("reading %s: an input cannot have a field of type %s", name, into.Type())
	}
	return err
}

// decodeFields sets the fields of a struct.
func decodeFields(into reflect.Value, from *node, name string) error {
	for _, p := range parametersOf(into.Type()) {
		next, ok := from, true
		if p.name != "" {
			next, ok = from.below[p.name]
		}
		switch {
		case ok && p.off && next.value != "false":
			return unsupported("InvalidParameterValue", "localaws does not support the value '"+next.value+"' of the parameter "+joined(name, p.name)+" (supported: false).")
		case ok:
			if err := decodeInto(into.Field(p.index), next, joined(name, p.name)); err != nil {
				return err
			}
		case p.required:
			return missing(joined(name, p.name))
		}
	}
	return nil
}
