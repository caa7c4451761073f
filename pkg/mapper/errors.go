package mapper

import "errors"

// ErrNotSynced means that a source has not been read yet, so that a mapper could
// not tell what a principal maps to.
var ErrNotSynced = errors.New("mappings are not read yet")

// DeniedError is a "no" that has a reason: a mapping matched, but yields no
// user. It ends the chain.
type DeniedError struct {
	// Reason is a sentence about the mapping, fit to be shown to the caller.
	Reason string
	// Rule that matched; zero where it is not known.
	Rule Rule
}

func (e *DeniedError) Error() string { return e.Reason }
