package console

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// words splits a line: at spaces, but not between quotes, double or single, in
// which there is no escape.
func words(line string) ([]string, error) {
	if !utf8.ValidString(line) {
		return nil, errors.New("the line is not UTF-8")
	}
	var all []string
	var word strings.Builder
	begun, quote := false, rune(0)
	for _, r := range line {
		switch {
		case r < ' ' && r != '\t' || r == 0x7f:
			return nil, fmt.Errorf("the line has a control character, %q", r)
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			begun, quote = true, r
		case r == ' ' || r == '\t':
			if begun {
				all = append(all, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote, %c, is not closed", quote)
	}
	if begun {
		all = append(all, word.String())
	}
	return all, nil
}

// flags are the words that any place of a line may have.
type flags struct{ json, force bool }

// split takes the flags out of a line's words.
func split(all []string) (rest []string, f flags) {
	for _, w := range all {
		switch w {
		case "-json", "--json":
			f.json = true
		case "-force", "--force":
			f.force = true
		default:
			rest = append(rest, w)
		}
	}
	return rest, f
}

// matching lists the names that begin with a prefix; only the name itself, if it
// is one.
func matching(prefix string, names []string) []string {
	var all []string
	for _, n := range names {
		if n == prefix {
			return []string{n}
		}
		if strings.HasPrefix(n, prefix) {
			all = append(all, n)
		}
	}
	return all
}

// nearest finds the name that was most likely meant by a word, or nothing.
func nearest(word string, names []string) string {
	best, least := "", 1+len(word)/3
	for _, n := range names {
		if d := distance(word, n); d <= least && len(word) > 1 {
			best, least = n, d-1
		}
	}
	return best
}

// distance counts the letters to change, add, leave out or swap with their
// neighbour between two short words.
func distance(a, b string) int {
	const most = 64
	if len(a) > most || len(b) > most {
		return most
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			other := 1
			if a[i-1] == b[j-1] {
				other = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
