package fib

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"guideway/maglev/flow"
)

func TestHotFunctionsAllocateNothing(t *testing.T) {
	spec := small(t)
	spec.Services[1] = service("203.0.0.0/16", -1)
	withNodes(&spec)
	s := mustBuild(t, spec)
	keys := []*flow.Key{to(6, "203.0.113.10:80"), to(6, "203.0.113.10:8001"), to(17, "203.0.1.1:53"), to(6, "198.51.100.1:1"), to(6, "[2001:db8:cafe::10]:80")}
	var b [TunnelBlock]byte
	used := 0
	if n := testing.AllocsPerRun(100, func() {
		for _, k := range keys {
			s.Serves(k)
			s.Fragments(k)
			id := s.Lookup(k)
			if id < 0 {
				continue
			}
			v := s.Service(uint16(id)).Pick(k)
			if e, ok := s.Endpoint(v, uint16(id)); ok {
				s.Tunnel(e.Way(k.SrcLo)).Write(&b, 1000, 0xb8, k.SrcLo)
				used++
			}
			if _, ok := s.EndpointOf(v); ok {
				s.Tunnel(s.Node(1, k.IPv6).Way(k.SrcLo)).Write(&b, 1000, 0xb8, k.SrcLo)
				used++
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if used != 6*101 {
		t.Errorf("%d headers written, want 6 a run", used)
	}
}

// What is called for each packet beside the table lookups and the header is
// part of the caller's loop.
func TestStillInlined(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, f := range []string{
		"Value.ID", "Path.Way", "(*Snapshot).Service", "(*Snapshot).Endpoint", "(*Snapshot).EndpointOf",
		"(*Snapshot).Tunnel", "(*Snapshot).Node", "(*Snapshot).Fragments",
	} {
		if !strings.Contains(string(out), ": can inline "+f+"\n") {
			t.Errorf("%s is no longer inlined", f)
		}
	}
}

// Four endpoints to a cache line, and none across two.
func TestEndpointIsAQuarterOfACacheLine(t *testing.T) {
	if n := reflect.TypeFor[Endpoint]().Size(); n != 16 {
		t.Errorf("%d bytes", n)
	}
}
