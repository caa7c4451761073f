package mapper

import "errors"

// ErrNotSynced means that a source has not been read yet, so a mapper cannot determine
// what a principal maps to.
var ErrNotSynced = errors.New("mappings have not been read yet")

// DeniedError is a denial with a reason: a mapping matched, but there is no user for
// it. It ends the chain.
type DeniedError struct {
	// Reason is a sentence about the mapping that the caller may see.
	Reason string
	// Rule is the rule that matched; zero if it is unknown.
	Rule Rule
}

func (e *DeniedError) Error() string { return e.Reason }
