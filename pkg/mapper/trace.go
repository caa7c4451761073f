package mapper

// Trace collects the rules that a mapper tried, in order, and why each did not
// match. A nil Trace collects nothing.
type Trace struct {
	Tried []Tried
}

// Tried is one rule that a mapper tried.
type Tried struct {
	Rule    Rule
	Matched bool
	// Reason says why the rule does not match; empty if it does.
	Reason string
}

func (t *Trace) add(tried Tried) {
	if t != nil {
		t.Tried = append(t.Tried, tried)
	}
}
