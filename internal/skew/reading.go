package skew

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/kube-iam/authenticator/pkg/token"
)

// A Reading is what is known about the clocks on which a token depends.
type Reading struct {
	// Machine describes the machine that checked the token.
	Machine string `json:"machine"`
	// AgeSeconds is the age of the token by the clock of Machine, negative in the future.
	AgeSeconds int64 `json:"ageSeconds"`
	// AheadSeconds is how far that clock is ahead of that of STS, negative if it is
	// behind; nil if it is unknown.
	AheadSeconds *int64 `json:"aheadSeconds,omitempty"`
}

// A Fault says which clock is wrong.
type Fault int

// The faults.
const (
	// Unknown: the clock of the machine, or that of the maker of the token.
	Unknown Fault = iota
	// Machine: the clock of the machine that checked the token.
	Machine
	// Maker: the clock of the machine that made the token.
	Maker
	// Old: the token is too old, or the clock of its maker is behind.
	Old
	// None: both clocks are right.
	None
)

// Fault returns which clock is wrong.
func (r Reading) Fault() Fault {
	switch {
	case r.AheadSeconds == nil && valid(r.age()):
		return None
	case r.AheadSeconds == nil:
		return Unknown
	case r.ahead().Abs() >= Tolerance:
		return Machine
	default:
		return r.maker()
	}
}

// TokenIsValid reports whether the token is valid by the clock of STS.
func (r Reading) TokenIsValid() bool { return valid(r.trueAge()) }

// maker returns what is wrong with the time of the token by the clock of STS.
func (r Reading) maker() Fault {
	switch age := r.trueAge(); {
	case valid(age):
		return None
	case age < 0:
		return Maker
	default:
		return Old
	}
}

// String says which clock is wrong, and by how much.
func (r Reading) String() string {
	machine := cmp.Or(r.Machine, "this machine")
	switch r.Fault() {
	case Machine:
		text := fmt.Sprintf("the clock of %s is %s that of AWS STS", machine, apart(r.ahead()))
		switch r.maker() {
		case Maker:
			text += fmt.Sprintf(", and the clock of the machine that made the token is at least %s it", apart(-r.trueAge()))
		case Old:
			text += fmt.Sprintf("; by the clock of AWS STS, the token was signed %s ago", r.trueAge())
		default:
		}
		return text
	case Maker:
		return fmt.Sprintf("the clock of the machine that made the token is at least %s that of AWS STS; the clock of %s is right", apart(-r.trueAge()), machine)
	case Old:
		return fmt.Sprintf("the token was signed %s ago, or the clock of the machine that made it is up to %s that of AWS STS; the clock of %s is right", r.trueAge(), apart(-r.trueAge()), machine)
	case Unknown:
		return fmt.Sprintf("it was signed %s by the clock of %s, which was not compared with that of AWS STS: either clock may be wrong", ago(r.age()), machine)
	default:
		return "the clocks are right"
	}
}

// Remedy returns what to do, and the command that does it; both are empty if no clock is
// wrong.
func (r Reading) Remedy() (sentence, command string) {
	const maker = "the machine that made the token"
	switch r.Fault() {
	case Machine:
		if r.maker() == Maker {
			return set(cmp.Or(r.Machine, "this machine") + ", and that of " + maker)
		}
		return set(cmp.Or(r.Machine, "this machine"))
	case Maker:
		return set(maker)
	case Old:
		return "Make a new token. If it is refused too, set the clock of the machine that makes it:", setClock
	case Unknown:
		return "Compare both clocks with that of AWS STS:", "date --utc; curl --silent --head https://sts.amazonaws.com | grep -i ^date"
	default:
		return "", ""
	}
}

const setClock = "timedatectl set-ntp true"

func set(machine string) (sentence, command string) {
	return "Set the clock of " + machine + ":", setClock
}

func (r Reading) age() time.Duration { return time.Duration(r.AgeSeconds) * time.Second }

// ahead returns how far the clock of the machine is ahead of that of STS; 0 if that is
// unknown.
func (r Reading) ahead() time.Duration {
	if r.AheadSeconds == nil {
		return 0
	}
	return time.Duration(*r.AheadSeconds) * time.Second
}

// trueAge returns the age of the token by the clock of STS, if the two were compared.
func (r Reading) trueAge() time.Duration { return r.age() - r.ahead() }

// valid reports whether a token of an age is valid.
func valid(age time.Duration) bool { return -token.MaxSkew <= age && age <= token.Lifetime }

// apart says how far a clock is ahead of another.
func apart(ahead time.Duration) string {
	if ahead < 0 {
		return (-ahead).String() + " behind"
	}
	return ahead.String() + " ahead of"
}

// ago says when a token was signed.
func ago(age time.Duration) string {
	if age < 0 {
		return (-age).String() + " in the future"
	}
	return age.String() + " ago"
}

// seconds returns a difference to a Date header, which has whole seconds, rounded down. A
// century is the most: a token can claim any year, and the sum of two must not overflow.
func seconds(d time.Duration) int64 {
	const century = 100 * 365 * 24 * time.Hour
	return int64(math.Floor(min(max(d, -century), century).Seconds()))
}
