package awsauth

import "strings"

// nearest returns the word that a text is most likely meant to be: the one that
// takes the fewest edits, at most two, ignoring case. Empty if there is none.
func nearest(text string, words []string) string {
	const most = 2
	best, found := most+1, ""
	for _, word := range words {
		if d := distance(strings.ToLower(text), strings.ToLower(word), most); d < best {
			best, found = d, word
		}
	}
	return found
}

// distance is how many letters to insert, delete or replace to make b of a; more
// than most if it is more than that.
func distance(a, b string, most int) int {
	if max(len(a), len(b))-min(len(a), len(b)) > most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
