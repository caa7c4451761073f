package policy

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// A condition is one operator on one key.
type condition struct {
	name, key string // the key, as written and in lower case
	operator
	// fits reports whether a value of the key matches a value in the policy.
	fits test
	// texts are those values, if they may contain variables.
	texts []text
}

type test func(value string, context map[string][]string) bool

// An operator, parsed from a name such as ForAnyValue:StringNotLikeIfExists.
type operator struct {
	// forAll and forAny say how to treat a key with several values.
	forAll, forAny bool
	// negated means that no value may match, rather than that one must.
	negated bool
	// ifExists means that the condition holds if the request lacks the key.
	ifExists bool
	// base is the name without prefix, negation and suffix.
	base string
}

func parseOperator(name string) operator {
	var o operator
	if o.base, o.forAll = strings.CutPrefix(name, "ForAllValues:"); !o.forAll {
		o.base, o.forAny = strings.CutPrefix(name, "ForAnyValue:")
	}
	if base, ok := strings.CutSuffix(o.base, "IfExists"); ok && base != "Null" {
		o.base, o.ifExists = base, true
	}
	switch o.base {
	case "StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike", "NumericNotEquals", "DateNotEquals", "NotIpAddress", "ArnNotEquals", "ArnNotLike":
		o.base, o.negated = strings.Replace(o.base, "Not", "", 1), true
	}
	return o
}

// holds reports whether the condition is true of a request.
func (c *condition) holds(context map[string][]string) bool {
	values := context[c.key]
	if c.base == "Null" {
		return c.fits(strconv.FormatBool(!slices.ContainsFunc(values, isSomething)), context)
	}
	if len(values) == 0 {
		return c.ifExists || c.forAll || c.negated && !c.forAny
	}
	switch {
	case c.forAll:
		return !slices.ContainsFunc(values, func(value string) bool {
			return isSomething(value) && c.fits(value, context) == c.negated
		})
	case c.forAny:
		return slices.ContainsFunc(values, func(value string) bool {
			return isSomething(value) && c.fits(value, context) != c.negated
		})
	default:
		return slices.ContainsFunc(values, func(value string) bool { return c.fits(value, context) }) != c.negated
	}
}

// isSomething reports whether a value is not an empty string, which in a set counts
// as no member.
func isSomething(value string) bool { return value != "" }

func (p *parser) conditions(s *statement, raw object) {
	operators, ok := raw["Condition"].(object)
	if !ok && raw["Condition"] != nil {
		p.refuse(malformed(ofSyntax, p.syntax))
	}
	for _, name := range operators.names() { // AWS also takes one without keys, and keys without values
		keys, ok := operators[name].(object)
		if !ok {
			p.refuse(malformed(ofSyntax, p.syntax))
		}
		for _, key := range keys.names() {
			values, ok := scalarsOf(keys[key])
			if !ok {
				p.refuse(malformed(ofSyntax, p.syntax))
				continue
			}
			c := condition{name: key, key: strings.ToLower(key), operator: parseOperator(name)}
			p.refuse(p.condition(&c, values))
			s.conditions = append(s.conditions, c)
		}
	}
}

// condition compiles a condition. It rejects values that no request can have.
func (p *parser) condition(c *condition, values []string) *MalformedError {
	switch c.base {
	case "StringEquals":
		return p.compareText(c, values, verbatim, func(want, got string) bool { return got == want })
	case "StringEqualsIgnoreCase":
		return p.compareText(c, values, verbatim, strings.EqualFold)
	case "StringLike":
		return p.compareText(c, values, escaped, func(want, got string) bool { return wildcard(want, got, false) })
	case "ArnEquals", "ArnLike":
		if slices.ContainsFunc(values, func(value string) bool { return value != "*" && !isARN(value) }) {
			return unreadable()
		}
		return p.compareText(c, values, escaped, arnLike)
	case "BinaryEquals":
		if slices.ContainsFunc(values, func(value string) bool { return !isBase64(value) }) {
			return malformed(ofSyntax, p.syntax)
		}
		c.fits = func(value string, _ map[string][]string) bool { return slices.Contains(values, value) }
		return nil
	case "Bool", "Null":
		return compare(c, values, parseBool, func(want, got bool) bool { return got == want })
	case "IpAddress":
		return compare(c, values, parsePrefix, func(want, got netip.Prefix) bool {
			return got.IsSingleIP() && want.Contains(got.Addr())
		})
	case "NumericEquals":
		return compare(c, values, parseNumber, func(want, got float64) bool { return got == want })
	case "NumericLessThan":
		return compare(c, values, parseNumber, func(want, got float64) bool { return got < want })
	case "NumericLessThanEquals":
		return compare(c, values, parseNumber, func(want, got float64) bool { return got <= want })
	case "NumericGreaterThan":
		return compare(c, values, parseNumber, func(want, got float64) bool { return got > want })
	case "NumericGreaterThanEquals":
		return compare(c, values, parseNumber, func(want, got float64) bool { return got >= want })
	case "DateEquals":
		return compare(c, values, parseDate, func(want, got time.Time) bool { return got.Equal(want) })
	case "DateLessThan":
		return compare(c, values, parseDate, func(want, got time.Time) bool { return got.Before(want) })
	case "DateLessThanEquals":
		return compare(c, values, parseDate, func(want, got time.Time) bool { return !got.After(want) })
	case "DateGreaterThan":
		return compare(c, values, parseDate, func(want, got time.Time) bool { return got.After(want) })
	case "DateGreaterThanEquals":
		return compare(c, values, parseDate, func(want, got time.Time) bool { return !got.Before(want) })
	default:
		return malformed(ofSyntax, p.syntax)
	}
}

// compareText compiles a comparison of texts, which may contain variables.
func (p *parser) compareText(c *condition, values []string, quote func(string) string, equal func(want, got string) bool) *MalformedError {
	for _, value := range values {
		t, ok := p.text(value, quote)
		if !ok {
			return unreadable()
		}
		c.texts = append(c.texts, t)
	}
	texts := c.texts
	c.fits = func(value string, context map[string][]string) bool {
		return slices.ContainsFunc(texts, func(t text) bool {
			want, ok := t.expand(context, quote)
			return ok && equal(want, value)
		})
	}
	return nil
}

// compare compiles a comparison of parsed values.
func compare[T any](c *condition, values []string, parse func(string) (T, bool), accept func(want, got T) bool) *MalformedError {
	wanted := make([]T, len(values))
	for i, value := range values {
		var ok bool
		if wanted[i], ok = parse(value); !ok {
			return unreadable()
		}
	}
	c.fits = func(value string, _ map[string][]string) bool {
		got, ok := parse(value)
		return ok && slices.ContainsFunc(wanted, func(want T) bool { return accept(want, got) })
	}
	return nil
}

func isARN(value string) bool {
	return strings.HasPrefix(value, "arn:") && strings.Count(value, ":") >= 5
}

// arnLike matches the six parts of ARNs separately: a wildcard does not match a
// colon, except in the last part.
func arnLike(want, got string) bool {
	if !isARN(got) || want == "*" {
		return isARN(got)
	}
	for range 5 {
		var pattern, part string
		pattern, want, _ = strings.Cut(want, ":")
		part, got, _ = strings.Cut(got, ":")
		if !wildcard(pattern, part, false) {
			return false
		}
	}
	return wildcard(want, got, false)
}

func isBase64(value string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(value)
	return err == nil
}

func parseBool(value string) (is, ok bool) {
	is = strings.EqualFold(value, "true")
	return is, is || strings.EqualFold(value, "false")
}

// parsePrefix parses a range of addresses or a single address.
func parsePrefix(value string) (netip.Prefix, bool) {
	if strings.Contains(value, "/") {
		prefix, err := netip.ParsePrefix(value)
		if err == nil && prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		return prefix, err == nil
	}
	address, err := netip.ParseAddr(value)
	address = address.Unmap()
	return netip.PrefixFrom(address, address.BitLen()), err == nil
}

var numberPattern = pattern.New(`^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$`)

func parseNumber(value string) (float64, bool) {
	if !numberPattern.MatchString(value) {
		return 0, false // strconv accepts more
	}
	number, err := strconv.ParseFloat(value, 64)
	return number, err == nil
}

// parseDate parses the W3C profile of ISO 8601 and seconds since 1970. Four digits
// are a year.
func parseDate(value string) (time.Time, bool) {
	if date, err := time.Parse(time.RFC3339, value); err == nil {
		return date, true
	}
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil && len(value) != 4 {
		return time.Unix(seconds, 0), true
	}
	for _, layout := range [...]string{
		"2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly, "2006-01", "2006",
	} {
		if date, err := time.Parse(layout, value); err == nil {
			return date, true
		}
	}
	return time.Time{}, false
}
