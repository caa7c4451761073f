// Package spelling finds the known name nearest to a misspelt one.
package spelling

import "strings"

// Nearest returns the name with the fewest edits from the text; empty if that takes
// many edits for the length of the text. It ignores case.
func Nearest(text string, names []string) string { return Within(1+len(text)/4, text, names) }

// Within is like [Nearest] with a limit on the number of edits.
func Within(most int, text string, names []string) string {
	found := ""
	for _, name := range names {
		if n, ok := Distance(most, text, name); ok {
			found, most = name, n-1
		}
	}
	return found
}

// Distance returns the number of edits from one text to another, and reports whether
// it is within a limit. It ignores case.
func Distance(most int, a, b string) (edits int, ok bool) {
	// A text may be of any length, and comparing long texts takes time.
	if max(len(a), len(b))-min(len(a), len(b)) > most {
		return 0, false
	}
	edits = distance(strings.ToLower(a), strings.ToLower(b))
	return edits, edits <= most
}

// distance returns the number of insertions, deletions, substitutions and swaps of
// neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
		for j := 1; j <= len(b); j++ {
			if i == 0 {
				rows[0][j] = j
				continue
			}
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
