package account

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/strictjson"
)

// stateVersion is the version of the state's JSON.
const stateVersion = 1

// A Part is what one service keeps in every account.
type Part struct {
	// New returns an empty section. Nil means that the service keeps nothing.
	New func() Section
	// Begin completes a state that was just made, read or imported, such as with what
	// is configured. Nil means that there is nothing to complete.
	Begin func(*Tx)
}

// A Section is the part of a state that one service owns: a pointer to a struct. Its
// exported fields are in the JSON of the state, side by side with those of the other
// sections, under the names in their json tags.
type Section interface {
	// Check validates a section that was read, and links what refers to each other.
	Check() error
}

// Export returns the state as JSON, with its secrets.
func (a *Account) Export() ([]byte, error) {
	text, _, err := a.snapshot()
	return text, err
}

// Import replaces the state by one that Export returned. An invalid one changes
// nothing; it is a [MalformedError].
func (a *Account) Import(text []byte) error {
	imported, err := a.decode(text)
	if err != nil {
		return &MalformedError{err}
	}
	return a.replace(imported)
}

// A MalformedError is why a state is not imported.
type MalformedError struct{ error }

func (e *MalformedError) Unwrap() error { return e.error }

// Reset replaces the state by an empty one.
func (a *Account) Reset() error { return a.replace(a.empty()) }

func (a *Account) empty() []Section {
	var sections []Section
	for _, part := range a.parts {
		if part.New != nil {
			sections = append(sections, part.New())
		}
	}
	return sections
}

func (a *Account) replace(by []Section) error {
	return a.Update(func(*Tx) error { a.begin(by); return nil })
}

// begin sets the state and completes it.
func (a *Account) begin(state []Section) {
	a.state = state
	tx := a.tx(Call{})
	for _, part := range a.parts {
		if part.Begin != nil {
			part.Begin(tx)
		}
	}
}

// header begins the JSON of a state.
type header struct {
	Version int    `json:"version"`
	Account string `json:"account"`
}

// document returns a pointer to a struct for the JSON of a state: the header's and the
// sections' fields in one object. Decoding it by encoding/json makes a state file
// strict and its errors precise, whoever owns a field.
func document(sections []Section) reflect.Value {
	var fields []reflect.StructField
	add := func(of reflect.Type) {
		for i := range of.NumField() {
			if field := of.Field(i); field.IsExported() {
				fields = append(fields, reflect.StructField{Name: field.Name, Type: field.Type, Tag: field.Tag})
			}
		}
	}
	add(reflect.TypeFor[header]())
	for _, section := range sections {
		add(reflect.TypeOf(section).Elem())
	}
	made := reflect.New(reflect.StructOf(fields))
	each(sections, func(name string, field reflect.Value) { made.Elem().FieldByName(name).Set(field) })
	return made
}

// each visits the fields of sections that a state contains.
func each(sections []Section, visit func(name string, field reflect.Value)) {
	for _, section := range sections {
		value := reflect.ValueOf(section).Elem()
		for i := range value.NumField() {
			if field := value.Type().Field(i); field.IsExported() {
				visit(field.Name, value.Field(i))
			}
		}
	}
}

// encode returns the JSON of a state.
func (a *Account) encode(sections []Section) ([]byte, error) {
	made := document(sections)
	made.Elem().FieldByName("Version").SetInt(stateVersion)
	made.Elem().FieldByName("Account").SetString(a.ID)
	text, err := json.Marshal(made.Interface())
	if err != nil {
		return nil, fmt.Errorf("encoding the state: %w", err)
	}
	return append(text, '\n'), nil
}

// decode parses the JSON of a state of the account.
func (a *Account) decode(text []byte) ([]Section, error) {
	// Another version may have fields that this one rejects, so check it first.
	var of header
	if err := json.Unmarshal(text, &of); err != nil {
		return nil, fmt.Errorf("reading the state: %w", strictjson.Located(err, text))
	}
	if of.Version != stateVersion {
		return nil, fmt.Errorf("reading the state: unsupported version %d (supported: %d)", of.Version, stateVersion)
	}
	if of.Account != a.ID {
		return nil, fmt.Errorf("reading the state: it belongs to account %q, not %s", of.Account, a.ID)
	}
	sections := a.empty()
	made := document(sections)
	if err := strictjson.Decode(text, made.Interface()); err != nil {
		return nil, fmt.Errorf("reading the state: %w", err)
	}
	each(sections, func(name string, field reflect.Value) { field.Set(made.Elem().FieldByName(name)) })
	for _, section := range sections {
		if err := section.Check(); err != nil {
			return nil, fmt.Errorf("reading the state: %w", err)
		}
	}
	return sections, nil
}

// snapshot encodes the current state for the store, with the number of its last
// change.
func (a *Account) snapshot() (text []byte, change uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text, err = a.encode(a.state)
	return text, a.changes, err
}

// CheckAll validates things of a kind; check returns the key of each and its error.
func CheckAll[T any](kind string, things map[string]*T, check func(*T) (string, error)) error {
	if things == nil {
		return fmt.Errorf("every %s: expected an object, not null", kind)
	}
	for key, thing := range things {
		if thing == nil {
			return fmt.Errorf("%s %q is null", kind, key)
		}
		want, err := check(thing)
		if err != nil {
			return fmt.Errorf("%s %q: %w", kind, key, err)
		}
		if key != want {
			return fmt.Errorf("%s %q is stored under the key %q", kind, want, key)
		}
	}
	return nil
}
