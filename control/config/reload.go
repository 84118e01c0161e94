package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Reload says how changes of the file come into effect.
type Reload struct {
	Watch      bool          // the file is loaded again when it changes, without a signal
	Settle     time.Duration // for which it must have been left alone before that
	MaxRemoved int           // percent of a VIP's backends that a reload may remove at once unasked; 100: any
}

func readReload(s *section) Reload {
	return Reload{
		Watch:      read(s, "watch", false, boolean),
		Settle:     read(s, "settle", time.Second, span(10*time.Millisecond, time.Minute)),
		MaxRemoved: read(s, "max_removed", 50, percent),
	}
}

// percent accepts "0%" to "100%".
func percent(v *value) (int, error) {
	s, err := text(v)
	if err != nil {
		return 0, err
	}
	digits, ok := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 || n > 100 {
		return 0, fmt.Errorf("%q is no share: write \"0%%\" to \"100%%\"", s)
	}
	return n, nil
}
