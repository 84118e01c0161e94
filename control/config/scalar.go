package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// text accepts any string.
func text(v *value) (string, error) {
	if v.kind != kindString {
		return "", fmt.Errorf("%s is %s: write a string, \"...\"", spelling(v), v.kind)
	}
	return v.text, nil
}

// spelling is how a wrong value is shown: as typed when it is short.
func spelling(v *value) string {
	if v.text == "" || v.kind == kindArray || v.kind == kindTable {
		return "this"
	}
	return v.text
}

func boolean(v *value) (bool, error) {
	if v.kind != kindBool {
		if v.kind == kindString && (v.text == "true" || v.text == "false") {
			return false, fmt.Errorf("write %s without quotes", v.text)
		}
		return false, fmt.Errorf("%s is %s: write true or false", spelling(v), v.kind)
	}
	return v.text == "true", nil
}

// integer accepts lo to hi.
func integer(lo, hi int64) parser[int64] {
	return func(v *value) (int64, error) {
		if v.kind != kindInteger {
			if _, err := strconv.Atoi(v.text); v.kind == kindString && err == nil {
				return 0, fmt.Errorf("write %s without quotes", v.text)
			}
			return 0, fmt.Errorf("%s is %s: write an integer, %d to %d", spelling(v), v.kind, lo, hi)
		}
		n, err := strconv.ParseInt(v.text, 0, 64)
		if err != nil || n < lo || n > hi {
			return 0, fmt.Errorf("%s is out of range: %d to %d", v.text, lo, hi)
		}
		return n, nil
	}
}

// number is integer for the types that the Config is made of.
func number[T ~int | ~uint8 | ~uint16 | ~uint32](lo, hi int64) parser[T] {
	return func(v *value) (T, error) {
		n, err := integer(lo, hi)(v)
		return T(n), err
	}
}

// oneOf accepts the names of an enum whose values count from 0.
func oneOf[T ~uint8](names []string) parser[T] {
	return func(v *value) (T, error) {
		if v.kind != kindString {
			return 0, fmt.Errorf("%s is %s: write one of %s", spelling(v), v.kind, quoted(names))
		}
		s := v.text
		if i := slices.Index(names, s); i >= 0 {
			return T(i), nil
		}
		return 0, fmt.Errorf("%q is none of %s%s", s, quoted(names), didYouMean(s, names))
	}
}

func quoted(names []string) string {
	return `"` + strings.Join(names, `", "`) + `"`
}

const maxName = 63

// label accepts a name: it appears in metrics and is typed at the console, so
// it has no spaces and needs no quotes there.
func label(v *value) (string, error) {
	s, err := text(v)
	switch {
	case err != nil:
		return "", err
	case s == "":
		return "", fmt.Errorf("the name is empty")
	case len(s) > maxName:
		return "", fmt.Errorf("the name has %d characters: at most %d", len(s), maxName)
	}
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._:-", c)) {
			return "", fmt.Errorf("the name %q: write letters, digits and . _ : - only, a letter or digit first", s)
		}
	}
	return s, nil
}

// optional lets a parser of strings accept "" as the zero value.
func optional[T any](p parser[T]) parser[T] {
	return func(v *value) (T, error) {
		if v.kind == kindString && v.text == "" {
			var zero T
			return zero, nil
		}
		return p(v)
	}
}

// span accepts a duration, lo to hi, with its unit.
func span(lo, hi time.Duration) parser[time.Duration] {
	return func(v *value) (time.Duration, error) {
		if v.kind == kindInteger || v.kind == kindFloat {
			return 0, fmt.Errorf("%s has no unit: write \"%ss\", or another of ms, s, m, h", v.text, v.text)
		}
		s, err := text(v)
		if err != nil {
			return 0, err
		}
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration: write a number and one of ms, s, m, h, as in \"500ms\" or \"15m\"", s)
		}
		if d < lo || d > hi {
			return 0, fmt.Errorf("%q is out of range: %s to %s", s, short(lo), short(hi))
		}
		return d, nil
	}
}

// short writes a duration as people do: 15m, not 15m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// size accepts a number of bytes, lo to hi, in whole MiB, which is what EAL
// counts in.
func size(lo, hi uint64) parser[uint64] {
	return func(v *value) (uint64, error) {
		if v.kind == kindInteger {
			return 0, fmt.Errorf("%s has no unit: write \"512MiB\" or \"1GiB\"", v.text)
		}
		s, err := text(v)
		if err != nil {
			return 0, err
		}
		digits := strings.TrimRight(s, "BKMGTikmgtb ")
		n, err := strconv.ParseUint(digits, 10, 64)
		unit := strings.TrimSpace(s[len(digits):])
		shift, known := map[string]uint{"MiB": 20, "GiB": 30, "TiB": 40}[unit]
		switch {
		case err != nil || !known:
			return 0, fmt.Errorf("%q is not a size: write a whole number and one of MiB, GiB, TiB, as in \"1GiB\"", s)
		case n > math.MaxUint64>>shift || n<<shift < lo || n<<shift > hi:
			return 0, fmt.Errorf("%q is out of range: %s to %s", s, binary(lo), binary(hi))
		}
		return n << shift, nil
	}
}

// binary writes a number of bytes in the largest unit that leaves it whole or
// nearly so.
func binary(n uint64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) + " " + units[i]
}
