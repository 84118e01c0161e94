package lcore

import "testing"

func TestLimit(t *testing.T) {
	const second = int64(1e9)
	count := func(l *limit, from, step int64, n int) (passed int) {
		for i := range int64(n) {
			if l.pass(from + i*step) {
				passed++
			}
		}
		return passed
	}
	for _, rate := range []int{1, 10, 1000, 1_000_000} {
		l := newLimit(rate)
		saved := max(1, rate/10)
		if n := count(&l, second, 0, 2*saved+5); n != saved {
			t.Errorf("rate %d: %d pass at once, want %d", rate, n, saved)
		}
		// Two seconds at four times the rate.
		step := max(second/int64(rate)/4, 1)
		if n, want := count(&l, second+step, step, int(2*second/step)), 2*rate; n < want-1 || n > want+1 {
			t.Errorf("rate %d: %d pass in two seconds, want %d", rate, n, want)
		}
	}
	none := newLimit(0)
	if n := count(&none, second, second, 10); n != 0 {
		t.Errorf("%d pass a limit of none", n)
	}
}
