// Package deny is the list of principals that are refused even if a mapping matches: the way
// to lock out a leaked access key at once. It reads the list from a file and follows it.
package deny

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/partition"
)

// Source is the name of the deny file in rules.
const Source = "deny file"

// The limits of a deny file.
const (
	// maxBytes is the size of a file.
	maxBytes   = 1 << 20
	maxEntries = 10_000
)

// list is an immutable set of principals: each entry with its line. ARNs are in lower
// case.
type list map[string]int

// uniqueID matches the unique ID of a user or role, and the ID of an access key, which have
// 16 to 128 characters.
var uniqueID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(AIDA|AROA|AKIA|ASIA)[A-Z0-9]+$`) })

// parse parses a deny file: one entry a line, with comments after #. One bad line
// makes the whole file invalid, since an entry that denies nobody would go unnoticed.
// Editors may begin the file with a byte order mark, or end its lines with CR.
func parse(content []byte) (list, error) {
	entries, number := list{}, 0
	text := strings.TrimPrefix(string(content), "\ufeff")
	for line := range strings.Lines(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)) {
		number++
		text, _, _ := strings.Cut(line, "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		entry, err := parseEntry(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if entries[entry] = number; len(entries) > maxEntries {
			return nil, fmt.Errorf("line %d: there are too many entries (at most %d)", number, maxEntries)
		}
	}
	return entries, nil
}

func parseEntry(text string) (string, error) {
	const maxShown = 100
	if !strings.HasPrefix(text, "arn:") {
		if len(text) < 16 || len(text) > 128 || !uniqueID().MatchString(text) {
			return "", fmt.Errorf("%.*q is not an entry: expected the ARN of a user or role, a unique ID (AIDA… or AROA…) or an access key ID (AKIA… or ASIA…)", maxShown, text)
		}
		return text, nil
	}
	canonical, kind, err := identity.Canonicalize(text)
	switch {
	case strings.Count(text, "arn:") > 1: // the second could be the path of a user
		return "", fmt.Errorf("%.*q has two ARNs: write each on its own line", maxShown, text)
	case err != nil:
		return "", err
	case canonical != text:
		return "", fmt.Errorf("%.*q is the ARN of a session: write %s to deny every session of the role, or the access key ID of the session", maxShown, text, canonical)
	case kind == identity.KindRole && strings.Count(text, "/") > 1:
		name := text[strings.LastIndexByte(text, '/')+1:]
		return "", fmt.Errorf("%.*q has a role path, which AWS never returns, so it would deny nobody: write the ARN that ends in :role/%s", maxShown, text, name)
	case strings.ContainsAny(text, "*?"):
		return "", fmt.Errorf("%.*q has a wildcard, but ARNs match as a whole: write each principal", maxShown, text)
	}
	if _, err := partition.Named(strings.ToLower(strings.Split(text, ":")[1])); err != nil {
		return "", fmt.Errorf("%.*q would deny nobody: %w", maxShown, text, err)
	}
	for _, c := range text[strings.LastIndexAny(text, "/:")+1:] {
		if isForeign(c) {
			return "", fmt.Errorf("%.*q would deny nobody: IAM does not allow %q in names", maxShown, text, c)
		}
	}
	return strings.ToLower(text), nil
}

// isForeign reports whether a character cannot be in the name of a user or role.
func isForeign(c rune) bool {
	isLetterOrDigit := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	return !isLetterOrDigit && !strings.ContainsRune("+=,.@_-", c)
}

// denies returns the rule that denies a principal, and reports whether there is one.
func (l list) denies(principal identity.Principal) (mapper.Rule, bool) {
	if len(l) == 0 {
		return mapper.Rule{}, false
	}
	for _, key := range [...]string{principal.AccessKeyID, principal.PrincipalID, strings.ToLower(principal.CanonicalARN)} {
		if line, ok := l[key]; ok {
			return mapper.Rule{Source: Source, Line: line}, true
		}
	}
	return mapper.Rule{}, false
}
