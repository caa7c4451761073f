package authn

// Outcome is the result for a token.
type Outcome string

// The outcomes, in the order of the steps that cause them.
const (
	// Malformed and Expired: the token is invalid without asking STS.
	Malformed Outcome = "malformed"
	Expired   Outcome = "expired"
	// Refused: STS does not accept the token.
	Refused Outcome = "refused"
	// Throttled, Unreachable and Saturated: STS throttles requests, STS does not
	// answer, or too many verifications are waiting.
	Throttled   Outcome = "throttled"
	Unreachable Outcome = "unreachable"
	Saturated   Outcome = "saturated"
	// Unmapped: verified, but no mapping matches. Denied: the mapping that matches
	// gives no user.
	Unmapped Outcome = "unmapped"
	Denied   Outcome = "denied"
	// MappingUnknown: the mappings are not read yet, or EC2 does not answer.
	MappingUnknown Outcome = "mapping_unknown"
	// Mapped: the token signs in as Decision.User.
	Mapped Outcome = "mapped"
)

// Outcomes returns all outcomes, for metrics.
func Outcomes() []Outcome {
	return []Outcome{Malformed, Expired, Refused, Throttled, Unreachable, Saturated, Unmapped, Denied, MappingUnknown, Mapped}
}

// Verdict is what an outcome means for the caller.
type Verdict int

// The verdicts. The zero value neither grants nor denies, so that an outcome that is
// missing below is safe.
const (
	Undecided Verdict = iota
	No
	Yes
)

// Verdict returns the verdict of an outcome. No other code decides it.
func (o Outcome) Verdict() Verdict {
	switch o {
	case Mapped:
		return Yes
	case Malformed, Expired, Refused, Unmapped, Denied:
		return No
	default:
		return Undecided
	}
}
