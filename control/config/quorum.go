package config

import (
	"fmt"
	"strconv"
	"strings"
)

// MinHealthy is how many backends a VIP needs: a number or a share of them.
type MinHealthy struct {
	N       int // backends, or percent of them
	Percent bool
}

// Of gives the number that is needed of n backends. A share is rounded up.
func (m MinHealthy) Of(n int) int {
	if m.Percent {
		return (m.N*n + 99) / 100
	}
	return m.N
}

// String gives "2" or "50%".
func (m MinHealthy) String() string {
	if m.Percent {
		return strconv.Itoa(m.N) + "%"
	}
	return strconv.Itoa(m.N)
}

func minHealthy(v *value) (MinHealthy, error) {
	if v.kind != kindString && v.kind != kindInteger {
		return MinHealthy{}, fmt.Errorf("%s is %s: write a number, \"2\", or a share, \"50%%\"", spelling(v), v.kind)
	}
	digits, percent := strings.CutSuffix(v.text, "%")
	n, err := strconv.ParseUint(digits, 10, 16)
	switch {
	case err != nil:
		return MinHealthy{}, fmt.Errorf("%q is neither a number of backends, \"2\", nor a share of them, \"50%%\"", v.text)
	case percent && n > 100:
		return MinHealthy{}, fmt.Errorf("%q is more than all", v.text)
	}
	return MinHealthy{int(n), percent}, nil
}
