package authn

// Outcome is what became of a token.
type Outcome string

// The outcomes, in the order in which a token meets them.
const (
	// Malformed: the token is wrong on its face. So is one that is Expired.
	Malformed Outcome = "malformed"
	Expired   Outcome = "expired"
	// Refused: STS does not accept the token.
	Refused Outcome = "refused"
	// Throttled, Unreachable and Saturated: STS has too many requests, gives no
	// answer, or too many verifications are waiting.
	Throttled   Outcome = "throttled"
	Unreachable Outcome = "unreachable"
	Saturated   Outcome = "saturated"
	// Unmapped: verified, but no mapping matches. Denied: a mapping matches that
	// yields no user.
	Unmapped Outcome = "unmapped"
	Denied   Outcome = "denied"
	// MappingUnknown: the mappings cannot be read, or EC2 cannot be asked.
	MappingUnknown Outcome = "mapping_unknown"
	// Mapped: the token signs in as Decision.User.
	Mapped Outcome = "mapped"
)

// Outcomes are all there are, for metrics.
func Outcomes() []Outcome {
	return []Outcome{Malformed, Expired, Refused, Throttled, Unreachable, Saturated, Unmapped, Denied, MappingUnknown, Mapped}
}

// Verdict is what an outcome means for the caller.
type Verdict int

// The verdicts. The zero value grants nothing and denies nothing, so that an
// outcome that is missing below is safe.
const (
	Undecided Verdict = iota
	No
	Yes
)

// Verdict of an outcome. This is the one place that decides it.
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
