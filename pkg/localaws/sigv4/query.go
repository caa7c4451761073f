package sigv4

import (
	"net/url"
	"slices"
	"strings"
)

// query is a URL's query, decoded, in the order in which it was sent.
type query []pair

type pair struct{ key, value string }

func parseQuery(raw string) query {
	var q query
	if raw == "" {
		return nil
	}
	for text := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(text, "=")
		q = append(q, pair{decode(key), decode(value)})
	}
	return q
}

// decode undoes percent-encoding; what is malformed stays as it is, and so does
// not verify.
func decode(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

func (q query) get(key string) string {
	for _, p := range q {
		if p.key == key {
			return p.value
		}
	}
	return ""
}

func (q query) count(key string) (n int) {
	for _, p := range q {
		if p.key == key {
			n++
		}
	}
	return n
}

func (q query) without(key string) query {
	return slices.DeleteFunc(slices.Clone(q), func(p pair) bool { return p.key == key })
}

// canonical is the query encoded and sorted by key, then by value.
func (q query) canonical() string {
	encoded := make([]string, 0, len(q))
	for _, p := range q {
		// "=" sorts after the digits that a longer key could go on with, so keys
		// and values are compared apart, by a separator that sorts before all.
		encoded = append(encoded, encode(p.key)+"\x00"+encode(p.value))
	}
	slices.Sort(encoded)
	return strings.ReplaceAll(strings.Join(encoded, "&"), "\x00", "=")
}

// encode is AWS's URI encoding: unreserved characters bare, all else %XX.
func encode(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + digits[c>>4:c>>4+1] + digits[c&15:c&15+1])
		}
	}
	return b.String()
}
