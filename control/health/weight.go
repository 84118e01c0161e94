package health

import (
	"fmt"
	"strconv"
	"strings"
)

// A Weight is the share that a target wants of the weight which it is
// configured with. The zero Weight says nothing, which is all of it.
//
// In a header or body it is written as the agents of HAProxy do: words, with
// spaces or commas between them, to the end of the line. A number from 0 to 100,
// with or without %, is the share; "drain" asks for no new flows; "down",
// "maint", "stopped" and "fail" fail the check; "up" and "ready" say nothing
// new. What follows a # is for people.
type Weight struct {
	Said    bool  // the target gave one
	Percent uint8 // 0 to 100
	Drain   bool  // no new flows
}

// Share is the share in percent: 0 for draining, 100 if nothing was said.
func (w Weight) Share() int {
	switch {
	case !w.Said:
		return 100
	case w.Drain:
		return 0
	}
	return int(w.Percent)
}

// String is for logs and the console.
func (w Weight) String() string {
	switch {
	case !w.Said:
		return "none"
	case w.Drain:
		return "drain"
	}
	return strconv.Itoa(int(w.Percent)) + "%"
}

// A downError is a target's own word that it is not well.
type downError string

func (e downError) Error() string { return "it says " + quote(string(e)) }

// A weightError is what was to be a weight and is none.
type weightError string

func (e weightError) Error() string { return quote(string(e)) + " is no weight" }

// parseWeight reads the first line of text. The error is a downError or a
// weightError.
func parseWeight(text string) (Weight, error) {
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		text = text[:i]
	}
	line, _, _ := strings.Cut(text, "#")
	w, understood := Weight{Said: true, Percent: 100}, false
	for _, word := range strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' }) {
		switch strings.ToLower(word) {
		case "drain":
			w.Drain = true
		case "down", "maint", "stopped", "fail":
			return Weight{}, downError(strings.TrimSpace(text))
		case "up", "ready":
		default:
			n, err := strconv.ParseUint(strings.TrimSuffix(word, "%"), 10, 8)
			if err != nil || n > 100 {
				return Weight{}, weightError(strings.TrimSpace(text))
			}
			w.Percent = uint8(n)
		}
		understood = true
	}
	if !understood {
		return Weight{}, weightError(strings.TrimSpace(text))
	}
	return w, nil
}

// quote shows the beginning of what someone else wrote, on one line.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return strconv.Quote(s)
}
