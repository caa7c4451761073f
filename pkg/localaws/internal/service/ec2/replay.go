package ec2

import "iter"

// replayable is embedded in what a call with a client token makes: a copy of the call
// makes nothing.
type replayable struct {
	// Token is the client token, Request the digest of the call's parameters.
	Token   string `json:"clientToken,omitempty"`
	Request string `json:"request,omitempty"`
}

func (r replayable) origin() replayable { return r }

// replayable returns the origin of what the call makes.
func (c *call) replayable(token string) replayable { return replayable{token, c.digest()} }

// replayed returns what an earlier copy of a call made.
func replayed[T interface{ origin() replayable }](all iter.Seq[T], by replayable) (made []T, err error) {
	if by.Token == "" {
		return nil, nil
	}
	for one := range all {
		switch earlier := one.origin(); {
		case earlier.Token != by.Token:
		case earlier.Request != by.Request:
			return nil, refuse("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
		default:
			made = append(made, one)
		}
	}
	return made, nil
}

func checkToken(token string) error {
	if len(token) > 64 {
		return invalid("The value for parameter clientToken has more than 64 characters.")
	}
	return nil
}
