package account

// Parameters is what other services ask of Systems Manager. Its section implements
// it.
type Parameters interface {
	// Parameter returns the value of a parameter in a region.
	Parameter(region, name string) (value string, ok bool)
}

// Parameters returns the account's Systems Manager.
func (tx *Tx) Parameters() Parameters { return offered[Parameters](tx.Account) }
