package plan

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"guideway/control/config"
	"guideway/maglev/fib"
)

const (
	sequenceVIPs     = 16
	sequenceBackends = 32
)

// drawConfig makes any set of VIPs with any backends in any state. A third of
// the VIPs stay as they are from one configuration to the next.
func drawConfig(t *rapid.T, last *config.Config) *config.Config {
	c := &config.Config{
		Node: config.Node{Name: "lb1", Source4: netip.MustParseAddr("192.0.2.11"), Source6: netip.MustParseAddr("2001:db8::11"),
			SourcePool4: sourcesOf(rapid.IntRange(0, 3).Draw(t, "pool"))},
		Ports: []config.Port{{Name: "wan", HasNextHop: rapid.Bool().Draw(t, "fixed"), NextHopMAC: mac(0xfe)}},
	}
	for i := range rapid.SampledFrom([]int{0, 0, 0, 1, 3}).Draw(t, "nodes") {
		c.Fragments.Nodes = append(c.Fragments.Nodes, config.FragmentNode{
			Name: fmt.Sprintf("lb%d", i+1), Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + i)})})
	}
	for i := range sequenceVIPs {
		name := fmt.Sprintf("v%02d", i)
		switch rapid.SampledFrom([]string{"keep", "draw", "remove"}).Draw(t, name) {
		case "keep":
			if last != nil {
				for j, v := range last.VIPs {
					if v.Name == name {
						c.VIPs, c.Pools = append(c.VIPs, v), append(c.Pools, last.Pools[j])
					}
				}
			}
		case "draw":
			random := rand.New(rand.NewPCG(uint64(i), rapid.Uint64().Draw(t, "backends of "+name)))
			present, special := random.Uint32(), random.Uint32()
			pool := config.Pool{Name: name}
			for b := range sequenceBackends {
				if present>>b&1 == 0 {
					continue
				}
				backend := config.Backend{Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(b)}), Weight: 100}
				if b%3 == 0 {
					backend.Address = netip.MustParseAddr(fmt.Sprintf("2001:db8:b::%x", b))
				}
				if special>>b&1 == 1 {
					backend.State, backend.Weight = config.State(b%3), uint32(50+b)
				}
				pool.Backends = append(pool.Backends, backend)
			}
			if special&1 == 1 {
				slices.Reverse(pool.Backends) // the file may list them in any order
			}
			c.Pools = append(c.Pools, pool)
			c.VIPs = append(c.VIPs, config.VIP{
				Name: name, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 32),
				Protocol: config.ProtocolTCP, Pools: []string{name}, TableSize: 67,
			})
		}
	}
	return c
}

// drawHops gives up to three next hops to an address, in any order.
func drawHops(around uint64, a netip.Addr) (hops []NextHop) {
	bytes := a.As16()
	random := rand.New(rand.NewPCG(around, uint64(bytes[15])))
	for i := range random.IntN(4) {
		hops = append(hops, NextHop{0, mac(byte(i)), random.IntN(5)})
	}
	random.Shuffle(len(hops), func(i, j int) { hops[i], hops[j] = hops[j], hops[i] })
	return hops
}

// checkWays holds the paths of a plan against what is known of the network.
func checkWays(t *rapid.T, c *config.Config, around uint64, p *Plan) {
	known := func(a netip.Addr) bool { return c.Ports[0].HasNextHop || len(drawHops(around, a)) > 0 }
	unreachable, owned := map[netip.Addr]bool{}, p.Owners.Shares()
	for _, v := range p.VIPs {
		for _, b := range v.Backends {
			e, valid := p.Snapshot.EndpointOf(b.Endpoint)
			if !valid || (e.Ways > 0) != known(b.Address) || int(e.Ways)%len(c.Node.Sources(b.Address)) != 0 {
				t.Fatalf("VIP %s, backend %v: %+v, valid %v", v.Name, b.Address, e, valid)
			}
			unreachable[b.Address] = e.Ways == 0
		}
	}
	for ordinal, node := range p.Owners.Nodes() {
		self := ordinal == p.Owners.Self()
		if path := p.Snapshot.Node(ordinal, false); (path.Ways > 0) != (!self && known(node)) {
			t.Fatalf("node %v, this one %v: %+v", node, self, path)
		}
		if down := !self && around>>(node.As4()[3]%8)&1 == 1; (owned[ordinal] == 0) != down {
			t.Fatalf("node %v is down %v and owns %d", node, down, owned[ordinal])
		}
		if !self {
			unreachable[node] = !known(node)
		}
	}
	for _, a := range p.Destinations {
		if want, listed := unreachable[a]; !listed || slices.Contains(p.Unreachable, a) != want {
			t.Fatalf("%v: a destination %v, unreachable %v", a, listed, want)
		}
		delete(unreachable, a)
	}
	if len(unreachable) > 0 || !slices.IsSortedFunc(p.Destinations, netip.Addr.Compare) || !slices.IsSortedFunc(p.Unreachable, netip.Addr.Compare) {
		t.Fatalf("destinations %v without %v, unreachable %v", p.Destinations, unreachable, p.Unreachable)
	}
}

type holder struct{ vip, backend string }

// holders gives who has which number.
func (p *Plan) holders() map[holder]fib.Value {
	m := map[holder]fib.Value{}
	for _, v := range p.VIPs {
		for _, b := range v.Backends {
			m[holder{v.Name, b.Address.String()}] = b.Endpoint
		}
	}
	return m
}

// meaning is what two nodes must agree on, whatever they did before.
func (p *Plan) meaning() any {
	type backend struct {
		Address netip.Addr
		Weight  uint32
		State   fib.State
		Slots   int
	}
	type vip struct {
		Name     string
		Digest   uint64
		Backends []backend
	}
	var all []vip
	for _, v := range p.VIPs {
		out := vip{Name: v.Name}
		if v.Table != nil {
			out.Digest = v.Table.Digest()
		}
		for _, b := range v.Backends {
			out.Backends = append(out.Backends, backend{b.Address, b.Weight, b.State, b.Slots})
		}
		all = append(all, out)
	}
	return all
}

func TestSequencesOfConfigs(t *testing.T) {
	reused := 0
	rapid.Check(t, func(t *rapid.T) {
		var c *config.Config
		var here, there *Plan
		given := map[fib.Value]bool{} // ever
		var around uint64             // decides what is known of the network
		next := func(c *config.Config, previous *Plan, generation int) *Plan {
			p, err := Build(Input{Config: c, Ports: ports, Generation: uint64(generation), Previous: previous, Workers: 1,
				NextHops: func(a netip.Addr) []NextHop { return drawHops(around, a) },
				Down:     func(a netip.Addr) bool { return around>>(a.AsSlice()[3]%8)&1 == 1 }})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		steps := rapid.IntRange(2, 24).Draw(t, "steps")
		for step := 1; step <= steps; step++ {
			c, around = drawConfig(t, c), rapid.Uint64().Draw(t, "around")
			last := here
			here = next(c, last, step)
			if again := next(c, last, step); !reflect.DeepEqual(here.VIPs, again.VIPs) {
				t.Fatalf("step %d: the same input gives two plans:\n%v\n%v", step, here.VIPs, again.VIPs)
			} else if !reflect.DeepEqual(here.Snapshot, again.Snapshot) || !reflect.DeepEqual(here.Unreachable, again.Unreachable) {
				t.Fatalf("step %d: the same input gives two snapshots", step)
			}
			checkWays(t, c, around, here)
			next(&config.Config{}, last, step) // a plan that comes to nothing leaves no trace
			checkNumbers(t, last, here, given)
			checkLeft(t, last, here, Input{Config: c, Ports: ports, Generation: uint64(step), Workers: 1})
			if step%5 == 1 { // the other node is started anew now and then
				there = nil
			}
			there = next(c, there, step)
			if a, b := here.meaning(), there.meaning(); !reflect.DeepEqual(a, b) {
				t.Fatalf("step %d: two nodes with one configuration differ:\n%v\n%v", step, a, b)
			}
		}
		if here.Snapshot.Endpoints() < len(given) {
			reused++
		}
	})
	if reused == 0 && !testing.Short() { // fewer and shorter ones then
		t.Error("no sequence was long enough for a number to be used again: the test shows less than it should")
	}
}

// checkNumbers holds the numbers of a plan against those of the one before and
// all that were ever given.
func checkNumbers(t *rapid.T, last, p *Plan, given map[fib.Value]bool) {
	before, now := map[holder]fib.Value{}, p.holders()
	services := map[uint16]string{}
	oldService := map[string]uint16{}
	oldHolder := map[uint32]holder{}
	if last != nil {
		before = last.holders()
		for _, v := range last.VIPs {
			oldService[v.Name] = v.Service
		}
		for h, v := range before {
			oldHolder[v.ID()] = h
		}
	}
	for _, v := range p.VIPs {
		if other, taken := services[v.Service]; taken {
			t.Fatalf("VIPs %s and %s are both service %d", other, v.Name, v.Service)
		}
		services[v.Service] = v.Name
		if old, was := oldService[v.Name]; was && (old != v.Service || v.Born == p.Snapshot.Generation) {
			t.Fatalf("VIP %s stayed, but was service %d and is %d, born %d", v.Name, old, v.Service, v.Born)
		}
	}
	ids := map[uint32]holder{}
	for h, v := range now {
		if other, taken := ids[v.ID()]; taken {
			t.Fatalf("%v and %v both have id %d", other, h, v.ID())
		}
		ids[v.ID()] = h
		if was, ok := oldHolder[v.ID()]; ok && was != h {
			t.Fatalf("id %d went from %v to %v without a plan in between", v.ID(), was, h)
		}
		switch old, stayed := before[h]; {
		case stayed && old != v:
			t.Fatalf("%v stayed, but had %x and has %x", h, old, v)
		case !stayed && given[v]:
			t.Fatalf("%v gets %x, which was given before", h, v)
		}
		given[v] = true
	}
	for _, v := range p.ids.endpoints.free {
		if h, taken := ids[v.ID()]; taken {
			t.Fatalf("id %d of %v is free to be given again", v.ID(), h)
		}
	}
}
