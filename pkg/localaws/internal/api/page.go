package api

import (
	"encoding/base64"
	"slices"
	"strings"
)

// PageAfter returns a page of a list that is sorted by key, and the token of the
// next page. A token holds the last key of its page, so that additions and deletions
// between calls shift nothing else. It returns false for an invalid token.
func PageAfter[T any](all []T, key func(T) string, token string, limit int) (page []T, next string, ok bool) {
	last, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, "", false
	}
	start := 0
	if token != "" {
		var found bool
		start, found = slices.BinarySearchFunc(all, string(last), func(item T, last string) int { return strings.Compare(key(item), last) })
		if found {
			start++
		}
	}
	page = all[start:]
	if len(page) > limit {
		page = page[:limit]
		next = base64.RawURLEncoding.EncodeToString([]byte(key(page[limit-1])))
	}
	return page, next, true
}
