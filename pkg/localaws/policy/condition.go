package policy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A condition is one operator on one key.
type condition struct {
	name   string // of the key, as it is written
	key    string // in lower case
	values []string
	test   func(want, got string) bool
	// negated: no value may match, rather than one must.
	negated bool
	// ifExists: holds if the request has no such key.
	ifExists bool
	// null: asks whether the request has the key at all.
	null bool
	// forAll, forAny: how a key with several values is taken.
	forAll, forAny bool
}

func parseConditions(raw map[string]map[string]valueList) ([]condition, error) {
	var conditions []condition
	for operator, keys := range raw {
		template, ok := parseOperator(operator)
		if !ok {
			return nil, malformed("Invalid Condition type : " + operator + ".")
		}
		for key, values := range keys {
			if len(values) == 0 {
				return nil, malformed("Syntax errors in policy.")
			}
			c := template
			c.name, c.key, c.values = key, strings.ToLower(key), values
			conditions = append(conditions, c)
		}
	}
	return conditions, nil
}

func parseOperator(name string) (condition, bool) {
	var c condition
	if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
		c.forAll, name = true, rest
	} else if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
		c.forAny, name = true, rest
	}
	if name == "Null" {
		c.null = true
		return c, true
	}
	if rest, ok := strings.CutSuffix(name, "IfExists"); ok {
		c.ifExists, name = true, rest
	}
	switch name {
	case "StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike", "NumericNotEquals", "DateNotEquals", "NotIpAddress", "ArnNotEquals", "ArnNotLike":
		c.negated, name = true, strings.Replace(name, "Not", "", 1)
	}
	c.test = operatorTest(name)
	return c, c.test != nil
}

func operatorTest(name string) func(want, got string) bool {
	switch name {
	case "StringEquals":
		return func(want, got string) bool { return plain(want) == got }
	case "StringEqualsIgnoreCase":
		return func(want, got string) bool { return strings.EqualFold(plain(want), got) }
	case "StringLike":
		return wildcard
	case "ArnEquals", "ArnLike":
		return arnLike
	case "Bool":
		return strings.EqualFold
	case "IpAddress":
		return inPrefix
	case "NumericEquals":
		return numeric(func(c int) bool { return c == 0 })
	case "NumericLessThan":
		return numeric(func(c int) bool { return c < 0 })
	case "NumericLessThanEquals":
		return numeric(func(c int) bool { return c <= 0 })
	case "NumericGreaterThan":
		return numeric(func(c int) bool { return c > 0 })
	case "NumericGreaterThanEquals":
		return numeric(func(c int) bool { return c >= 0 })
	case "DateEquals":
		return date(func(c int) bool { return c == 0 })
	case "DateLessThan":
		return date(func(c int) bool { return c < 0 })
	case "DateLessThanEquals":
		return date(func(c int) bool { return c <= 0 })
	case "DateGreaterThan":
		return date(func(c int) bool { return c > 0 })
	case "DateGreaterThanEquals":
		return date(func(c int) bool { return c >= 0 })
	}
	return nil
}

// plain takes the marks off wildcards that a variable brought.
func plain(text string) string { return strings.ReplaceAll(text, string(literal), "") }

// arnLike compares the six parts of ARNs each for itself: a wildcard does not
// reach over a colon, but in the last part.
func arnLike(want, got string) bool {
	wanted, have := strings.SplitN(want, ":", 6), strings.SplitN(got, ":", 6)
	if len(wanted) != 6 || len(have) != 6 {
		return false
	}
	for i := range wanted {
		if !wildcard(wanted[i], have[i]) {
			return false
		}
	}
	return true
}

func inPrefix(want, got string) bool {
	address, err := netip.ParseAddr(got)
	if err != nil {
		return false
	}
	if prefix, err := netip.ParsePrefix(want); err == nil {
		return prefix.Contains(address)
	}
	single, err := netip.ParseAddr(want)
	return err == nil && single == address
}

func numeric(accept func(int) bool) func(want, got string) bool {
	return func(want, got string) bool {
		w, err1 := strconv.ParseFloat(want, 64)
		g, err2 := strconv.ParseFloat(got, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		switch {
		case g < w:
			return accept(-1)
		case g > w:
			return accept(1)
		default:
			return accept(0)
		}
	}
}

func date(accept func(int) bool) func(want, got string) bool {
	return func(want, got string) bool {
		w, ok1 := parseDate(want)
		g, ok2 := parseDate(got)
		return ok1 && ok2 && accept(g.Compare(w))
	}
}

func parseDate(text string) (time.Time, bool) {
	for _, format := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(format, text); err == nil {
			return at, true
		}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

// holds reports whether the condition is true of a request.
func (c condition) holds(context map[string][]string) bool {
	got := context[c.key]
	if c.null {
		return slices.Contains(c.values, strconv.FormatBool(len(got) == 0))
	}
	if len(got) == 0 {
		return c.ifExists || c.forAll || c.negated && !c.forAny
	}
	match := func(value string) bool { return c.matches(value, context) != c.negated }
	if c.forAll {
		return !slices.ContainsFunc(got, func(value string) bool { return !match(value) })
	}
	if c.negated && !c.forAny {
		return !slices.ContainsFunc(got, func(value string) bool { return !match(value) })
	}
	return slices.ContainsFunc(got, match)
}

// matches reports whether one of the wanted values fits.
func (c condition) matches(got string, context map[string][]string) bool {
	return slices.ContainsFunc(c.values, func(want string) bool {
		want, ok := substitute(want, context)
		return ok && c.test(want, got)
	})
}
