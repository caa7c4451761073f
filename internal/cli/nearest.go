package cli

import (
	"fmt"
	"strings"
)

// nearestHint hints at the name that somebody probably meant; it is empty if
// none is near.
func nearestHint(text string, names []string) string {
	if name := Nearest(text, names); name != "" {
		return fmt.Sprintf("did you mean %s?", name)
	}
	return ""
}

// maxName is longer than any name: what is longer is near none, and costs time.
const maxName = 64

// Nearest returns the name with the fewest edits between it and the text, if they
// are few for its length, and else nothing.
func Nearest(text string, names []string) string {
	if len(text) > maxName {
		return ""
	}
	found, fewest := "", 2+len(text)/4
	for _, name := range names {
		if n := distance(strings.ToLower(text), strings.ToLower(name)); n < fewest {
			found, fewest = name, n
		}
	}
	return found
}

// distance counts the insertions, deletions, substitutions and swaps of
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
