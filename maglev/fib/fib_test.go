package fib

import (
	"testing"

	"guideway/maglev/flow"

	"pgregory.net/rapid"
)

func TestValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Uint32Range(1, MaxEndpoints).Draw(t, "id")
		generation := rapid.Uint32().Draw(t, "generation")
		v := MakeValue(id, generation)
		if v == 0 || v.ID() != id || v.Generation() != generation%MaxGenerations {
			t.Fatalf("%d of generation %d: value %#x is %d of %d", id, generation, uint32(v), v.ID(), v.Generation())
		}
		if MakeValue(v.ID(), v.Generation()) != v || MakeValue(id, generation+MaxGenerations) != v || MakeValue(id, generation+1) == v {
			t.Fatalf("value %#x of %d, generation %d", uint32(v), id, generation)
		}
	})
}

// Every key is picked an endpoint that serves, by its service's table, and the
// way leads on to the tunnel to that table's member.
func TestPickLeadsToTheMember(t *testing.T) {
	spec := small(t)
	spec.Services[2].Mode = flow.Source
	s := mustBuild(t, spec)
	for _, vip := range []string{"203.0.113.10:80", "[2001:db8:cafe::10]:8005"} {
		picked := map[Value]int{}
		for port := range uint16(1000) {
			k := to(6, vip)
			k.Ports = uint32(port)<<16 | k.Ports&0xffff
			k.SrcLo += uint64(port)
			id := s.Lookup(k)
			if id < 0 {
				t.Fatalf("%v: %d", k, id)
			}
			service := s.Service(uint16(id))
			v := service.Pick(k)
			e, valid := s.Endpoint(v, service.ID)
			if !valid || e.State != Serving || e.Value != v || int(e.Service) != id {
				t.Fatalf("%v: value %d leads to %+v, valid %v", k, v, e, valid)
			}
			table := spec.Services[id].Table
			member := table.Members()[table.Pick(k.Select(spec.Services[id].Mode))].Addr
			if want := spec.Tunnels[spec.Endpoints[v.ID()].Tunnel].Dst; member != want {
				t.Fatalf("%v: picked %v, the table says %v", k, want, member)
			}
			if s.Tunnel(e.Tunnel) != &s.tunnels[spec.Endpoints[v.ID()].Tunnel] {
				t.Fatalf("%v: another's tunnel", k)
			}
			picked[v]++
		}
		if len(picked) != 2 {
			t.Errorf("%s: picked %v, want both that serve", vip, picked)
		}
	}
	empty := Service{}
	if v := empty.Pick(to(6, "203.0.113.10:80")); v != 0 {
		t.Errorf("a service without a table picks %d", v)
	}
}

// What a connection table may hold: values of this snapshot, of older ones, and
// of nothing.
func TestEndpoint(t *testing.T) {
	s := mustBuild(t, small(t))
	for _, c := range []struct {
		name    string
		v       Value
		service uint16
		want    State // Gone: not valid
	}{
		{"serving", MakeValue(1, 100), 0, Serving},
		{"draining", MakeValue(3, 300), 0, Draining},
		{"down", MakeValue(4, 400), 0, Down},
		{"the other service's", MakeValue(5, 500), 2, Serving},
		{"the generation before", MakeValue(1, 99), 0, Gone},
		{"the generation after", MakeValue(1, 101), 0, Gone},
		{"all generations round", MakeValue(1, 100+MaxGenerations), 0, Serving},
		{"of another service", MakeValue(1, 100), 2, Gone},
		{"of a service not in use", MakeValue(1, 100), 1, Gone},
		{"an id not in use", MakeValue(9, 0), 0, Gone},
		{"an id not in use, of nobody's service", MakeValue(9, 0), nobodys, Gone},
		{"zero", 0, 0, Gone},
		{"id zero of a generation", MakeValue(0, 1), 0, Gone},
		{"an id out of range", MakeValue(10, 0), 0, Gone},
		{"the highest id", MakeValue(MaxEndpoints, 0), 0, Gone},
		{"all ones", 1<<32 - 1, 0, Gone},
	} {
		e, valid := s.Endpoint(c.v, c.service)
		if valid != (c.want != Gone) || valid && (e.State != c.want || e.Value != c.v) {
			t.Errorf("%s: %+v, valid %v, want state %d", c.name, e, valid, c.want)
		}
	}
	empty := mustBuild(t, Spec{Services: make([]ServiceSpec, 8), Endpoints: make([]EndpointSpec, 8)})
	for v := range Value(16) {
		for service := range uint16(8) {
			if e, valid := empty.Endpoint(v, service); valid {
				t.Fatalf("value %d of a snapshot without endpoints is %+v", v, e)
			}
		}
	}
}

// An endpoint that comes back under its id has another generation, and what a
// connection table remembers of it from before is not good any more.
func TestGenerations(t *testing.T) {
	spec := small(t)
	old := spec.Endpoints[1].Value
	if _, valid := mustBuild(t, spec).Endpoint(old, 0); !valid {
		t.Fatal("not valid in its own snapshot")
	}
	next := MakeValue(old.ID(), old.Generation()+1)
	spec.Endpoints[1].Value, spec.Services[0].Values[0] = next, next
	s := mustBuild(t, spec)
	if _, valid := s.Endpoint(old, 0); valid {
		t.Error("the older generation is valid")
	}
	if _, valid := s.Endpoint(next, 0); !valid {
		t.Error("the new generation is not")
	}
}

func TestSnapshotTellsWhatIsInIt(t *testing.T) {
	spec := small(t)
	s := mustBuild(t, spec)
	if s.Generation != 7 || s.Services() != 4 || s.Endpoints() != 10 {
		t.Errorf("generation %d, %d services, %d endpoints", s.Generation, s.Services(), s.Endpoints())
	}
	for id, e := range spec.Endpoints {
		if got := s.ValueOf(id); got != e.Value {
			t.Errorf("endpoint %d has value %d, want %d", id, got, e.Value)
		}
	}
	for id, v := range spec.Services {
		if got := s.Service(uint16(id)); int(got.ID) != id || got.Born != v.Born || got.Mode != v.Mode {
			t.Errorf("service %d is %+v", id, got)
		}
	}
}
