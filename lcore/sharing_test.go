package lcore

import (
	"fmt"
	"reflect"
	"testing"

	"guideway/fragments"
	"guideway/maglev/fib"
	"guideway/pmd"
	"guideway/pmd/memport"
)

// What two cores write lies on different cache lines, or they would slow each other
// down without a trace in any profile. Looked at is all that hangs on a Worker but what
// all may see: what the control plane publishes, and the rings.
func TestCoresShareNoLine(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 4, rxQueues: 1, kernel: true}, "10.0.0.1", "10.0.0.2")
	f.inject(0, 0, datagram(1, 1000, 0, 10, 1500, false)...)
	f.run()
	f.take()
	owners := map[uintptr]string{}
	for i, w := range f.nodes[0].workers {
		o := owned{name: fmt.Sprintf("core %d", i), lines: map[uintptr]string{}}
		o.walk("", reflect.ValueOf(w))
		if len(o.lines) < 1000 { // the connection table alone has more
			t.Fatalf("%s has no more than %d lines", o.name, len(o.lines))
		}
		for line, path := range o.lines {
			if other := owners[line]; other != "" {
				t.Errorf("%s%s lies on a cache line with %s", o.name, path, other)
			}
			owners[line] = o.name + path
		}
	}
	f.shut()
}

// An item is a cache line, or the stages would fetch two for each packet.
func TestItemsAreLines(t *testing.T) {
	w := newRig(t, memport.Config{}, "10.0.0.1").worker
	if at, size := reflect.ValueOf(&w.items).Pointer()%cacheLine, reflect.TypeFor[item]().Size(); at != 0 || size != cacheLine {
		t.Errorf("items begin %d bytes into a line, and have %d bytes", at, size)
	}
}

// owned is the cache lines on which something lies that is a core's own.
type owned struct {
	name  string
	lines map[uintptr]string // by address over cacheLine; what is there
}

// shared are the types that all cores may see.
var shared = map[reflect.Type]bool{
	reflect.TypeFor[Program]():          true,
	reflect.TypeFor[fib.Snapshot]():     true,
	reflect.TypeFor[fragments.Owners](): true,
	reflect.TypeFor[pmd.RSS]():          true,
	reflect.TypeFor[pmd.Frame]():        true, // a pool's: they go from core to core
	reflect.TypeFor[ring]():             true,
}

// walk notes what v refers to. Interfaces are the port's, and functions the program's.
func (o *owned) walk(path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && !shared[v.Type().Elem()] {
			if from, to := extent(v.Type().Elem()); o.note(path, v.Pointer()+from, to-from) {
				o.walk(path, v.Elem())
			}
		}
	case reflect.Slice:
		if v.Len() > 0 && o.note(path, v.Pointer(), uintptr(v.Len())*v.Type().Elem().Size()) {
			o.elements(path, v)
		}
	case reflect.Array:
		o.elements(path, v)
	case reflect.Struct:
		for i := range v.NumField() {
			o.walk(path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
}

// extent tells from where to where a value of the type is written: without what pads it at its ends.
func extent(t reflect.Type) (from, to uintptr) {
	to = t.Size()
	if t.Kind() != reflect.Struct {
		return 0, to
	}
	for i := 0; i < t.NumField() && t.Field(i).Name == "_"; i++ {
		from += t.Field(i).Type.Size()
	}
	for i := t.NumField() - 1; i >= 0 && t.Field(i).Name == "_"; i-- {
		to -= t.Field(i).Type.Size()
	}
	return from, to
}

// elements walks those of an array or a slice, which are alike.
func (o *owned) elements(path string, v reflect.Value) {
	switch v.Type().Elem().Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Struct:
		for i := range v.Len() {
			o.walk(path+"[]", v.Index(i))
		}
	}
}

// note notes the lines of n bytes at an address, and tells whether they are new.
func (o *owned) note(path string, at, n uintptr) bool {
	known := true
	for line := at / cacheLine; line <= (at+n-1)/cacheLine && n > 0; line++ {
		if o.lines[line] == "" {
			o.lines[line], known = path, false
		}
	}
	return !known
}
