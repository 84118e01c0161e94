package console

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A page is an answer's text on its way.
type page struct {
	strings.Builder
	now time.Time // what ages are counted to
}

// line writes a line.
func (p *page) line(format string, args ...any) {
	fmt.Fprintf(&p.Builder, format+"\n", args...)
}

// pairs writes names and values below each other; names without a value are
// left out.
func (p *page) pairs(pairs ...string) {
	width := 0
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			width = max(width, utf8.RuneCountInString(pairs[i]))
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			p.line("%-*s  %s", width, pairs[i], pairs[i+1])
		}
	}
}

// A table is rows of cells below their heads, as wide as its widest cells.
type table struct {
	heads []string
	right []bool
	rows  [][]string
}

// newTable makes a table. Heads that begin with > are over numbers, which are
// aligned to the right.
func newTable(heads ...string) *table {
	t := &table{}
	for _, h := range heads {
		name, right := strings.CutPrefix(h, ">")
		t.heads, t.right = append(t.heads, name), append(t.right, right)
	}
	return t
}

// row adds a row; what is no string is written as fmt does.
func (t *table) row(cells ...any) {
	row := make([]string, len(t.heads))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.rows = append(t.rows, row)
}

// table writes t, or says that there is nothing. A column without content is
// left out, but the first.
func (p *page) table(t *table, none string) {
	if len(t.rows) == 0 {
		p.line("%s", none)
		return
	}
	widths := make([]int, len(t.heads))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	write := func(cells []string) {
		line := ""
		for i, cell := range cells {
			if widths[i] == 0 && i > 0 {
				continue
			}
			width := max(widths[i], utf8.RuneCountInString(t.heads[i]))
			pad := strings.Repeat(" ", width-utf8.RuneCountInString(cell))
			if t.right[i] {
				line += pad + cell + "  "
			} else {
				line += cell + pad + "  "
			}
		}
		p.line("%s", strings.TrimRight(line, " "))
	}
	write(t.heads)
	for _, row := range t.rows {
		write(row)
	}
}

// Seconds is a duration that JSON has in seconds.
type Seconds time.Duration

// MarshalJSON writes a number of seconds.
func (s Seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

// UnmarshalJSON reads a number of seconds.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*s = Seconds(math.Round(f * float64(time.Second)))
	return nil
}

// String gives three digits or so: people compare, they do not calculate.
func (s Seconds) String() string {
	d := time.Duration(s)
	switch {
	case d == 0:
		return ""
	case d < time.Microsecond:
		return d.String()
	case d < time.Millisecond:
		return digits(float64(d)/1e3) + " us"
	case d < time.Second:
		return digits(float64(d)/1e6) + " ms"
	case d < time.Minute:
		return digits(d.Seconds()) + " s"
	}
	return span(d)
}

// span writes a long time in its two largest units.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// age tells for how long something has been so.
func (p *page) age(since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return span(p.now.Sub(since))
}

// clock writes a moment, to the second, with how long ago that is.
func (p *page) clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC") + ", " + p.age(t) + " ago"
}

// count groups the digits of a number by three.
func count[T ~int | ~int64 | ~uint32 | ~uint64](n T) string {
	s := strconv.FormatUint(uint64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes bytes in their largest unit.
func size[T ~int | ~int64 | ~uint64](n T) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	f, i := float64(n), 0
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	return digits(f) + " " + units[i]
}

// digits writes three digits of a number, more only before the point.
func digits(f float64) string {
	after := 2
	switch {
	case f == math.Trunc(f) || f >= 100:
		after = 0
	case f >= 10:
		after = 1
	}
	return strconv.FormatFloat(f, 'f', after, 64)
}

// percent writes a share, 0..1. A share that is not zero never looks like it.
func percent(f float64) string {
	switch {
	case f == 0:
		return "0 %"
	case f < 0.0001:
		return "< 0.01 %"
	}
	return strconv.FormatFloat(100*f, 'f', 2, 64) + " %"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func upDown(b bool) string {
	if b {
		return "up"
	}
	return "down"
}

func asDuration(s Seconds) time.Duration { return time.Duration(s) }
