package config

import "strings"

// nearest gives the candidate that a person who typed word most likely meant,
// or "" when none is near: one slip in three letters, or a word cut short.
func nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, bestDistance := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := distance(word, c); d < bestDistance && d < len(c) {
			best, bestDistance = c, d
		}
	}
	if best != "" {
		return best
	}
	for _, c := range candidates {
		if len(word) >= 3 && strings.HasPrefix(c, word) {
			return c
		}
	}
	return ""
}

// didYouMean is a clause to put behind a complaint about word.
func didYouMean(word string, candidates []string) string {
	if c := nearest(word, candidates); c != "" {
		return ": did you mean \"" + c + "\"?"
	}
	return ""
}

// distance counts the slips between a and b: a letter too many, too few,
// another one, or two neighbours swapped (optimal string alignment).
func distance(a, b string) int {
	const longest = 64 // no key or name is longer; keeps hostile input cheap
	if len(a) > longest || len(b) > longest {
		return longest
	}
	before := make([]int, len(b)+1)
	above := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
