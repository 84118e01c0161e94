package prefetch

import "testing"

// A prefetch has no effect that a program can see; what can break is the
// stub's walk over the vector, which would fault or run on.
func TestLinesTakesAnyAddressAndCount(t *testing.T) {
	var addrs [Max]uintptr
	for i := range addrs {
		addrs[i] = uintptr(i) * 0x123456789abcdef // not mapped, most of them
	}
	before := addrs
	for n := -1; n <= Max+1; n++ {
		Lines(&addrs, n)
	}
	for _, a := range addrs {
		Line(a)
	}
	if addrs != before {
		t.Fatal("the vector was written to")
	}
	if got := testing.AllocsPerRun(100, func() { Lines(&addrs, Max) }); got != 0 {
		t.Fatalf("Lines allocates %v times", got)
	}
}

func BenchmarkLines(b *testing.B) {
	var memory [Max * 64]byte
	var addrs [Max]uintptr
	for i := range addrs {
		addrs[i] = uintptr(i*64) + uintptr(len(memory))
	}
	for b.Loop() {
		Lines(&addrs, Max)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/Max, "ns/line")
}
