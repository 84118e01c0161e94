package plan

import (
	"net/netip"
	"slices"
	"testing"

	"guideway/maglev/fib"

	"pgregory.net/rapid"
)

// checkLeft holds a plan against one that another process would have made, had
// it taken over after the last.
func checkLeft(t *rapid.T, last, p *Plan, in Input) {
	if last == nil {
		return
	}
	left := last.Numbers()
	if err := left.Check(); err != nil {
		t.Fatalf("the numbers of a plan: %v", err)
	}
	in.Left = &left
	over, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	a, b := p.Numbers(), over.Numbers()
	if !slices.Equal(a.Endpoints, b.Endpoints) || !slices.Equal(a.Free, b.Free) {
		t.Fatalf("a process that goes on has\n%v, one that takes over\n%v", a, b)
	}
	for i, v := range over.VIPs {
		if v.Born != in.Generation || slices.ContainsFunc(over.VIPs[:i], func(o VIP) bool { return o.Service == v.Service }) {
			t.Fatalf("VIP %s is service %d, born %d in plan %d", v.Name, v.Service, v.Born, in.Generation)
		}
	}
}

func TestCheckNumbers(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	one, two, three := fib.MakeValue(1, 5), fib.MakeValue(2, 0), fib.MakeValue(3, 1)
	for name, c := range map[string]struct {
		numbers Numbers
		sound   bool
	}{
		"none":              {Numbers{}, true},
		"all that there is": {Numbers{[]Numbered{{"v", a, one}, {"v", b, three}, {"w", a, two}}, []fib.Value{fib.MakeValue(4, 0)}}, true},
		"an id too high":    {Numbers{[]Numbered{{"v", a, two}}, nil}, false},
		"id 0":              {Numbers{[]Numbered{{"v", a, 0}}, nil}, false},
		"an id twice":       {Numbers{[]Numbered{{"v", a, one}, {"v", b, fib.MakeValue(1, 6)}}, nil}, false},
		"twice, once free":  {Numbers{[]Numbered{{"v", a, one}}, []fib.Value{one}}, false},
		"no address":        {Numbers{[]Numbered{{"v", netip.Addr{}, one}}, nil}, false},
		"a backend twice":   {Numbers{[]Numbered{{"v", a, one}, {"v", a, two}}, nil}, false},
		"VIPs out of order": {Numbers{[]Numbered{{"w", a, one}, {"v", a, two}}, nil}, false},
		"too many":          {Numbers{Free: make([]fib.Value, fib.MaxEndpoints+1)}, false},
	} {
		if err := c.numbers.Check(); (err == nil) != c.sound {
			t.Errorf("%s: %v", name, err)
		}
	}
}
