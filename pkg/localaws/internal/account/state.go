package account

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/strictjson"
)

// The versions of a state's JSON: of one account, and of several.
const (
	stateVersion   = 1
	severalVersion = 2
)

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

// Export returns the state of all accounts as JSON, with its secrets.
func (s *Accounts) Export() ([]byte, error) {
	text, _, err := s.snapshot()
	return text, err
}

// Import replaces the state of all accounts by one that Export returned. An invalid
// one changes nothing; it is a [MalformedError].
func (s *Accounts) Import(text []byte) error {
	imported, err := s.decode(text)
	if err != nil {
		return &MalformedError{err}
	}
	return s.replace(imported)
}

// A MalformedError is why a state is not imported.
type MalformedError struct{ error }

func (e *MalformedError) Unwrap() error { return e.error }

// Reset replaces the state of all accounts by an empty one.
func (s *Accounts) Reset() error { return s.replace(s.empty()) }

// A whole is the state of all accounts: the sections of each, in their order.
type whole [][]Section

func (s *Accounts) empty() whole {
	all := make(whole, len(s.list))
	for i := range all {
		all[i] = s.sections()
	}
	return all
}

// sections returns the empty sections of an account.
func (s *Accounts) sections() []Section {
	var sections []Section
	for _, part := range s.parts {
		if part.New != nil {
			sections = append(sections, part.New())
		}
	}
	return sections
}

func (s *Accounts) replace(by whole) error {
	return s.Default().Update(func(*Tx) error { s.begin(by); return nil })
}

// begin sets the state and completes it.
func (s *Accounts) begin(state whole) {
	for i, a := range s.list {
		a.state = state[i]
	}
	for _, a := range s.list {
		tx := a.tx(Call{})
		for _, part := range s.parts {
			if part.Begin != nil {
				part.Begin(tx)
			}
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

// several is the JSON of the state of several accounts.
type several struct {
	Version  int               `json:"version"`
	Accounts []json.RawMessage `json:"accounts"`
}

// encode returns the JSON of the state: that of the account, or of several.
func (s *Accounts) encode() ([]byte, error) {
	all := several{Version: severalVersion}
	for _, a := range s.list {
		text, err := a.encode()
		if err != nil {
			return nil, fmt.Errorf("encoding the state: %w", err)
		}
		all.Accounts = append(all.Accounts, text)
	}
	text := []byte(all.Accounts[0])
	if len(s.list) > 1 {
		var err error
		if text, err = json.Marshal(all); err != nil {
			return nil, fmt.Errorf("encoding the state: %w", err)
		}
	}
	return append(text, '\n'), nil
}

// encode returns the JSON of an account's state.
func (a *Account) encode() ([]byte, error) {
	made := document(a.state)
	made.Elem().FieldByName("Version").SetInt(stateVersion)
	made.Elem().FieldByName("Account").SetString(a.ID)
	return json.Marshal(made.Interface())
}

// decode parses the JSON of a state. Accounts that it lacks are empty.
func (s *Accounts) decode(text []byte) (whole, error) {
	// Another version may have fields that this one rejects, so check it first.
	var of header
	if err := json.Unmarshal(text, &of); err != nil {
		return nil, fmt.Errorf("reading the state: %w", strictjson.Located(err, text))
	}
	texts := []json.RawMessage{text}
	switch of.Version {
	case stateVersion:
	case severalVersion:
		var all several
		if err := strictjson.Decode(text, &all); err != nil {
			return nil, fmt.Errorf("reading the state: %w", err)
		}
		texts = all.Accounts
	default:
		return nil, fmt.Errorf("reading the state: unsupported version %d (supported: %d, and %d for several accounts)", of.Version, stateVersion, severalVersion)
	}
	decoded := make(whole, len(s.list))
	for _, text := range texts {
		if err := s.decodeOne(text, decoded); err != nil {
			return nil, fmt.Errorf("reading the state: %w", err)
		}
	}
	for i := range decoded {
		if decoded[i] == nil {
			decoded[i] = s.sections()
		}
	}
	if err := s.checkKeys(decoded); err != nil {
		return nil, fmt.Errorf("reading the state: %w", err)
	}
	return decoded, nil
}

// checkKeys returns an error for an access key that is in two accounts: a key tells the
// account of its caller.
func (s *Accounts) checkKeys(state whole) error {
	owners := map[string]string{}
	for i, a := range s.list {
		for _, section := range state[i] {
			identities, ok := section.(Identities)
			if !ok {
				continue
			}
			for id := range identities.AccessKeyIDs() {
				if other, twice := owners[id]; twice {
					return fmt.Errorf("access key %s is in account %s and in %s", id, other, a.ID)
				}
				owners[id] = a.ID
			}
		}
	}
	return nil
}

// decodeOne parses the JSON of the state of one account into the whole state.
func (s *Accounts) decodeOne(text []byte, into whole) error {
	var of header
	if err := json.Unmarshal(text, &of); err != nil {
		return strictjson.Located(err, text)
	}
	if of.Version != stateVersion {
		return fmt.Errorf("unsupported version %d of account %q (supported: %d)", of.Version, of.Account, stateVersion)
	}
	at := slices.IndexFunc(s.list, func(a *Account) bool { return a.ID == of.Account })
	switch {
	case at < 0:
		var ids []string
		for _, a := range s.list {
			ids = append(ids, a.ID)
		}
		return fmt.Errorf("it belongs to account %q, not %s: serve it too with --account", of.Account, strings.Join(ids, ", "))
	case into[at] != nil:
		return fmt.Errorf("account %s is in it twice", of.Account)
	}
	sections := s.sections()
	made := document(sections)
	if err := strictjson.Decode(text, made.Interface()); err != nil {
		return err
	}
	each(sections, func(name string, field reflect.Value) { field.Set(made.Elem().FieldByName(name)) })
	for _, section := range sections {
		if err := section.Check(); err != nil {
			return err
		}
	}
	into[at] = sections
	return nil
}

// snapshot encodes the current state for the store, with the number of its last
// change.
func (s *Accounts) snapshot() (text []byte, change uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err = s.encode()
	return text, s.changes, err
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
