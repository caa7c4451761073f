// Package edit changes the text of aws-auth: the data of a ConfigMap, or a file. It
// keeps everything outside of the change byte for byte: comments, order, quotes,
// indentation, line endings and unknown keys.
//
// Every change is read again. If the result is not what was intended, the change is an
// [UnsafeError], and the text stays as it is.
package edit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// A Document is the text of an aws-auth: [Data] or a [File].
type Document interface {
	// Read reads the mappings.
	Read(opts awsauth.Options) (*awsauth.Result, error)
	// lists returns the list of each section; nil if there is none.
	lists() (map[string]*place, error)
	// edit changes a section, and returns the changed text.
	edit(section string, change func(*place) ([]splice, error)) (Document, error)
}

// A Principal is whom a mapping is for. One of its fields is set.
type Principal struct {
	// ARN is compared with an entry's as it is written there, in any case.
	ARN     string
	SSO     *mapper.SSO
	Account string
}

// String returns the principal as it is written in aws-auth.
func (p Principal) String() string {
	switch {
	case p.SSO != nil:
		return fmt.Sprintf("permission set %s of account %s", p.SSO.PermissionSet, p.SSO.AccountID)
	case p.Account != "":
		return "account " + p.Account
	}
	return p.ARN
}

// A Mapping is an entry of mapRoles or mapUsers, or an account of mapAccounts.
type Mapping struct {
	Principal
	// Section is where the mapping is, or is added.
	Section string
	// Username and Groups are templates. An account has none.
	Username string
	Groups   []string
}

// UnsafeError says why a text cannot be edited without risk to the rest of it.
type UnsafeError struct {
	Section string
	Reason  string
}

func (e *UnsafeError) Error() string {
	if e.Section == "" {
		return "cannot edit the file safely: " + e.Reason
	}
	return "cannot edit " + e.Section + " safely: " + e.Reason
}

// ErrNotFound is the error of removing or changing what is not there.
var ErrNotFound = errors.New("no such mapping")

// Find returns the mappings for a principal, as they are written: those that apply and
// those that do not. The one that takes effect, if any does, is the first.
//
// If there is none, the error says which section cannot be read and could have it.
func Find(d Document, p Principal) ([]Mapping, error) {
	found, broken, err := find(d, p)
	if err == nil && len(found) == 0 {
		err = broken
	}
	if err != nil {
		return nil, err
	}
	mappings := make([]Mapping, len(found))
	for i, f := range found {
		mappings[i] = f.Mapping
	}
	return mappings, nil
}

// A location is a mapping and the index of its item in the section.
type location struct {
	Mapping
	index int
}

// find returns where a principal is mapped. Broken says which section cannot be read and
// could have it too.
func find(d Document, p Principal) (found []location, broken, err error) {
	places, err := d.lists()
	if err != nil {
		return nil, nil, err
	}
	for _, section := range awsauth.Sections() {
		if place := places[section]; place != nil && place.broken != nil && (section == mapAccounts) == (p.Account != "") {
			broken = place.broken
		}
		for i, m := range slices.Backward(places[section].mappings()) {
			if m.sameAs(p) {
				found = append(found, location{m, i})
			}
		}
	}
	return found, broken, nil
}

// sameAs reports whether a mapping is for a principal.
func (m Mapping) sameAs(p Principal) bool {
	switch {
	case p.SSO != nil:
		return m.SSO != nil && strings.EqualFold(m.SSO.PermissionSet, p.SSO.PermissionSet) && m.SSO.AccountID == p.SSO.AccountID &&
			partitionOf(*m.SSO) == partitionOf(*p.SSO)
	case p.Account != "":
		return m.Account == p.Account
	}
	return p.ARN != "" && strings.EqualFold(m.ARN, p.ARN)
}

func partitionOf(sso mapper.SSO) string {
	if sso.Partition == "" {
		return "aws"
	}
	return strings.ToLower(sso.Partition)
}

// Problems returns what is wrong with a mapping. With an error it would not apply.
func Problems(m Mapping, opts awsauth.Options) []mapper.Problem {
	text, err := textOf(m.Section, func(p *place) ([]splice, error) { return p.insert(m) })
	if err != nil {
		return nil // an empty text takes every mapping
	}
	return awsauth.Parse(Data{m.Section: text}, nil, opts).Problems
}

// Add adds a mapping at the end of its section.
func Add(d Document, m Mapping) (Document, error) {
	return checked(d, m.Section, func(p *place) ([]splice, error) { return p.insert(m) }, func(before, after []shape) error {
		if len(after) != len(before)+1 || !slices.EqualFunc(before, after[:len(before)], shape.equal) {
			return errors.New("another entry would change")
		}
		return after[len(before)].is(m)
	})
}

// Remove removes all mappings for a principal. It returns [ErrNotFound] if there is
// none.
func Remove(d Document, p Principal) (Document, error) {
	found, broken, err := find(d, p)
	switch {
	case err != nil:
	case broken != nil: // the principal could stay mapped
		err = broken
	case len(found) == 0:
		err = ErrNotFound
	}
	// From the last to the first of each section, so that the indexes stay right.
	for _, f := range found {
		if err == nil {
			d, err = removeAt(d, f.Section, f.index)
		}
	}
	return d, err
}

func removeAt(d Document, section string, index int) (Document, error) {
	return checked(d, section, func(p *place) ([]splice, error) { return p.remove(index) }, func(before, after []shape) error {
		if !slices.EqualFunc(slices.Delete(slices.Clone(before), index, index+1), after, shape.equal) {
			return errors.New("another entry would change")
		}
		return nil
	})
}

// maxSteps is more than the steps that change all groups of an entry, which has at most
// 500 of them.
const maxSteps = 1100

// Set gives the mapping of a principal that takes effect another username and other
// groups. It returns [ErrNotFound] if there is none.
func Set(d Document, m Mapping) (Document, error) {
	found, _, err := find(d, m.Principal)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	section, index := found[0].Section, found[0].index
	m.Section = section
	changed := d
	// One group at a time: each change moves what is below it.
	for range maxSteps {
		done := false
		changed, err = changed.edit(section, func(p *place) ([]splice, error) {
			splices, err := p.set(index, m)
			done = len(splices) == 0
			return splices, err
		})
		if err != nil {
			return nil, inSection(section, err)
		}
		if done {
			if err := verify(d, changed, section, func(before, after []shape) error { return changesOnly(before, after, index, m) }); err != nil {
				return nil, err
			}
			return changed, nil
		}
	}
	return nil, &UnsafeError{Section: section, Reason: "a field of the entry occurs twice"}
}

// changesOnly returns an error unless one item became a mapping, and kept its other
// fields.
func changesOnly(before, after []shape, index int, m Mapping) error {
	if len(before) != len(after) {
		return errors.New("another entry would change")
	}
	for i := range before {
		if i != index && !before[i].equal(after[i]) || before[i].rest != after[i].rest {
			return errors.New("another entry would change")
		}
	}
	return after[index].is(m)
}

// checked makes a change of a section, and verifies it.
func checked(d Document, section string, change func(*place) ([]splice, error), check func(before, after []shape) error) (Document, error) {
	changed, err := d.edit(section, change)
	if err != nil {
		return nil, inSection(section, err)
	}
	if err := verify(d, changed, section, check); err != nil {
		return nil, err
	}
	return changed, nil
}

// verify reads a document before and after a change of a section. The check gets the
// items of that section; the other sections must be the same.
func verify(d, changed Document, section string, check func(before, after []shape) error) error {
	before, err := d.lists()
	if err != nil {
		return err
	}
	after, err := changed.lists()
	if err != nil {
		return inSection(section, refuse("the result would not be readable: %w", err))
	}
	for _, name := range awsauth.Sections() {
		was, is := before[name].shapes(), after[name].shapes()
		if name == section {
			err = check(was, is)
		} else if !slices.EqualFunc(was, is, shape.equal) {
			err = errors.New(name + " would change")
		}
		if err != nil {
			return inSection(section, refuse("%w; edit it by hand", err))
		}
	}
	return nil
}

func inSection(section string, err error) error {
	if unsafe, ok := errors.AsType[*UnsafeError](err); ok && unsafe.Section == "" {
		return &UnsafeError{Section: section, Reason: unsafe.Reason}
	}
	return err
}
