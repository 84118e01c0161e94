package conntrack

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

func TestLineIsACacheLine(t *testing.T) {
	if n := reflect.TypeFor[line]().Size(); n != lineBytes {
		t.Fatalf("%d bytes", n)
	}
	for skip := range 2 * lineBytes {
		b := aligned(newMemory(4)[skip:])
		if p := reflect.ValueOf(b).Pointer(); p%lineBytes != 0 || len(b) < lineBytes {
			t.Fatalf("%d bytes at %#x", len(b), p)
		}
	}
	for flows := 1; flows < 200; flows++ {
		tb := mustNew(t, Config{Flows: flows})
		k := flowKey(uint32(flows), flows&1 != 0)
		h := tb.Hash(&k)
		tb.Insert(&k, h, 1, 0, Data)
		at, _ := tb.Find(&k, h, 0)
		if got := tb.Place(&k, h).Line; got%lineBytes != 0 || got != reflect.ValueOf(&tb.lines[at.line()]).Pointer() {
			t.Fatalf("line at %#x, the entry at %p", got, &tb.lines[at.line()])
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	tb := mustNew(t, Config{Flows: 64})
	i := uint32(0)
	allocations := testing.AllocsPerRun(5000, func() {
		i++
		k := flowKey(i, i&1 != 0)
		h := tb.Hash(&k)
		now := Tick(i)
		if tb.Place(&k, h).Line == 0 {
			t.Error("no line")
		}
		tb.Insert(&k, h, i, now, Syn)
		if at, ok := tb.Find(&k, h, now); ok {
			tb.Touch(at, now, Data)
			tb.Replace(at, tb.Value(at)+1, now, Syn)
		}
		if i%3 == 0 {
			tb.Age(now, 1)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
	if s := tb.Stats(); s.Evictions == 0 || s.Moves == 0 {
		t.Errorf("not all paths were taken: %+v", s)
	}
	if _, err := audit(tb); err != nil {
		t.Error(err)
	}
}

// What is called for each packet beside Find is part of the caller's loop.
func TestStillInlined(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, f := range []string{
		"(*Table).Hash", "(*Table).Place", "(*Table).Value", "(*Table).current", "Ticks",
		"(*line).differ", "(*line).name", "first", "(*Table).expired", "tagOf", "change",
	} {
		if !strings.Contains(string(out), ": can inline "+f+"\n") {
			t.Errorf("%s is no longer inlined", f)
		}
	}
}
