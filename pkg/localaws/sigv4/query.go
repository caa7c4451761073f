package sigv4

import (
	"net/url"
	"slices"
	"strings"
)

// query is a URL's query, decoded, in its original order.
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

// decode undoes percent-encoding. It leaves malformed sequences, which then do not
// verify.
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

// canonical returns the query encoded and sorted by key, then by value.
func (q query) canonical() string {
	encoded := make([]string, 0, len(q))
	for _, p := range q {
		// "=" sorts after digits, which a longer key could continue with. So join
		// key and value with a separator that sorts first.
		encoded = append(encoded, encode(p.key)+"\x00"+encode(p.value))
	}
	slices.Sort(encoded)
	return strings.ReplaceAll(strings.Join(encoded, "&"), "\x00", "=")
}

// encode applies AWS's URI encoding: unreserved characters stay, others become %XX.
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
