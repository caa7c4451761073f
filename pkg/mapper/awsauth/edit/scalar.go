package edit

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// A quote is how a value is written: without quotes, or with ' or ".
type quote byte

const (
	noQuote     quote = 0
	singleQuote quote = '\''
	doubleQuote quote = '"'
)

// quoteOf returns the quote of a node.
func quoteOf(node *yaml.Node) quote {
	switch {
	case node == nil:
		return noQuote
	case node.Style&yaml.DoubleQuotedStyle != 0:
		return doubleQuote
	case node.Style&yaml.SingleQuotedStyle != 0:
		return singleQuote
	}
	return noQuote
}

// Values that mean text without quotes, outside of brackets and within. They are fewer
// than YAML allows.
var (
	plainInBlock = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./:@+=,{}-]*$`) })
	plainInFlow  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./:@+=-]*$`) })
	// notText matches words that are a boolean, null or a number, in YAML 1.1 or 1.2.
	notText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?i:true|false|null|yes|no|on|off|y|n|inf|nan)$`) })
)

// scalar writes a value in YAML, with quotes if it needs them or if its neighbours have
// them.
func scalar(value string, q quote, inFlow bool) string {
	plain := plainInBlock
	if inFlow {
		plain = plainInFlow
	}
	switch {
	case q == noQuote && plain().MatchString(value) && !strings.HasSuffix(value, ":") && !notText().MatchString(value):
		return value
	case q == singleQuote && !strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	return doubleQuoted(value)
}

// doubleQuoted writes a value in double quotes, as valid YAML and JSON.
func doubleQuoted(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// needsNoQuotes reports whether an account ID may be written without quotes, as its
// neighbours are: as a number, one with a leading zero would lose it.
func needsNoQuotes(account string) bool { return len(account) == 12 && account[0] != '0' }

// scalarSpan returns the bytes of a scalar on one line or in quotes.
func (s source) scalarSpan(node *yaml.Node) (span, error) {
	at, err := s.offset(node)
	if err != nil {
		return span{}, err
	}
	unsafe := refuse("the value on %s is not plain text", s.at(node.Line))
	if node.Kind != yaml.ScalarNode || node.Anchor != "" || node.Style&(yaml.TaggedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return span{}, unsafe
	}
	if q := quoteOf(node); q != noQuote {
		if at >= len(s.text) || s.text[at] != byte(q) {
			return span{}, unsafe
		}
		end := quoteEnd(s.text, at)
		if end < 0 {
			return span{}, unsafe
		}
		return span{at, end}, nil
	}
	if !strings.HasPrefix(s.text[at:], node.Value) {
		return span{}, unsafe
	}
	return span{at, at + len(node.Value)}, nil
}
