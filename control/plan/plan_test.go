package plan

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"guideway/control/config"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
)

const head = `
[node]
name   = "lb1"
source = ["192.0.2.11", "2001:db8::11"]
[dpdk]
lcores = [1]
control_cpus = [0]
memory = "64MiB"
huge = false
[[port]]
name = "wan"
device = "net_null0"
addresses = ["192.0.2.11/24", "2001:db8::11/64"]
next_hop_mac = "02:00:00:00:00:01"
mtu = 1600
[conntrack]
flows_per_core = 1024
`

var ports = []Port{{MAC: [6]byte{2, 0, 0, 0, 0, 0x11}, MTU: 1600}}

func parse(t testing.TB, text string) *config.Config {
	t.Helper()
	c, _, err := config.Parse("test.toml", []byte(head+text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

// build plans for a text, after a previous plan.
func build(t testing.TB, previous *Plan, text string) *Plan {
	t.Helper()
	in := Input{Config: parse(t, text), Ports: ports, Generation: 1, Previous: previous, Workers: 2}
	if previous != nil {
		in.Generation = previous.Snapshot.Generation + 1
	}
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pool(name string, backends ...string) string {
	return fmt.Sprintf("[[pool]]\nname = %q\nbackends = [%s]\n", name, strings.Join(backends, ", "))
}

func backend(address string) string { return fmt.Sprintf("{ address = %q }", address) }

func vip(name, address string, pools ...string) string {
	return fmt.Sprintf("[[vip]]\nname = %q\naddress = %q\nprotocol = \"tcp\"\nports = [\"80\"]\npools = [\"%s\"]\n",
		name, address, strings.Join(pools, `", "`))
}

func (p *Plan) vip(t testing.TB, name string) VIP {
	t.Helper()
	for _, v := range p.VIPs {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("no VIP %q", name)
	return VIP{}
}

func (p *Plan) endpointOf(t testing.TB, vip, address string) fib.Value {
	t.Helper()
	for _, b := range p.vip(t, vip).Backends {
		if b.Address.String() == address {
			return b.Endpoint
		}
	}
	t.Fatalf("VIP %q has no backend %s", vip, address)
	return 0
}

func TestOrderInTheFileDoesNotMatter(t *testing.T) {
	var backends, vips []string
	for i := range 40 {
		backends = append(backends, fmt.Sprintf("{ address = \"10.0.%d.%d\", weight = %d }", i%3, i+1, 50+i))
		vips = append(vips, vip(fmt.Sprintf("v%02d", i), fmt.Sprintf("203.0.113.%d", i+1), "a"))
	}
	want := build(t, nil, pool("a", backends...)+strings.Join(vips, ""))
	for round := range 5 {
		random := rand.New(rand.NewPCG(1, uint64(round)))
		swap := func(s []string) func(i, j int) { return func(i, j int) { s[i], s[j] = s[j], s[i] } }
		random.Shuffle(len(backends), swap(backends))
		random.Shuffle(len(vips), swap(vips))
		got := build(t, nil, strings.Join(vips, "")+pool("a", backends...))
		for i, v := range want.VIPs {
			g := got.VIPs[i]
			if g.Name != v.Name || g.Service != v.Service || g.Table.Digest() != v.Table.Digest() {
				t.Fatalf("round %d: VIP %s: service %d digest %x, want %s %d %x", round, g.Name, g.Service, g.Table.Digest(), v.Name, v.Service, v.Table.Digest())
			}
		}
	}
}

func TestWhatStaysKeepsItsNumbers(t *testing.T) {
	one := build(t, nil, pool("a", backend("10.0.0.1"), backend("10.0.0.2"))+vip("x", "203.0.113.1", "a")+vip("y", "203.0.113.2", "a"))
	two := build(t, one, pool("a", backend("10.0.0.0"), backend("10.0.0.2"))+vip("w", "203.0.113.3", "a")+vip("y", "203.0.113.2", "a"))
	if a, b := one.vip(t, "y").Service, two.vip(t, "y").Service; a != b {
		t.Errorf("service of y moved from %d to %d", a, b)
	}
	if a, b := one.endpointOf(t, "y", "10.0.0.2"), two.endpointOf(t, "y", "10.0.0.2"); a != b {
		t.Errorf("endpoint of y moved from %x to %x", a, b)
	}
	gone := one.endpointOf(t, "x", "10.0.0.1")
	if _, valid := two.Snapshot.Endpoint(gone, one.vip(t, "x").Service); valid {
		t.Error("an endpoint of a removed VIP is still valid")
	}
}

// A backend that is removed and comes back revives no old entry, however
// often, also when ids are used again.
func TestRemovedAndReaddedIsAnother(t *testing.T) {
	small := vip("x", "203.0.113.1", "a") + "table_size = 251\n"
	with := pool("a", backend("10.0.0.1"), backend("10.0.0.2")) + small
	without := pool("a", backend("10.0.0.1")) + small
	seen := map[fib.Value]bool{}
	p := build(t, nil, with)
	for round := range 2*quarantine + 10 {
		v := p.endpointOf(t, "x", "10.0.0.2")
		if seen[v] {
			t.Fatalf("round %d: value %x was given before", round, v)
		}
		seen[v] = true
		p = build(t, p, without)
		if _, valid := p.Snapshot.Endpoint(v, p.vip(t, "x").Service); valid {
			t.Fatalf("round %d: the removed backend's value is valid", round)
		}
		p = build(t, p, with)
	}
	if n := p.Snapshot.Endpoints(); n > quarantine+10 {
		t.Errorf("%d endpoint ids for two backends: ids are not used again", n)
	}
}

func TestDrainAndOff(t *testing.T) {
	p := build(t, nil, pool("a", backend("10.0.0.1"),
		`{ address = "10.0.0.2", state = "drain" }`, `{ address = "10.0.0.3", state = "off" }`)+vip("x", "203.0.113.1", "a"))
	v := p.vip(t, "x")
	if len(v.Backends) != 2 {
		t.Fatalf("backends %v: off is not left out", v.Backends)
	}
	if b := v.Backends[1]; b.State != fib.Draining || b.Slots != 0 {
		t.Errorf("draining backend: state %d, %d slots", b.State, b.Slots)
	}
	if b := v.Backends[0]; b.Slots != 65537 {
		t.Errorf("the only serving backend has %d of 65537 slots", b.Slots)
	}
	if e, valid := p.Snapshot.Endpoint(v.Backends[1].Endpoint, v.Service); !valid || e.State != fib.Draining {
		t.Error("the draining backend keeps no flows")
	}
	all := build(t, nil, pool("a", `{ address = "10.0.0.2", state = "drain" }`)+vip("x", "203.0.113.1", "a"))
	if all.vip(t, "x").Table != nil {
		t.Error("a VIP whose backends all drain has a table")
	}
}

func TestTablesAreSharedAndKept(t *testing.T) {
	text := pool("a", backend("10.0.0.1"), backend("10.0.0.2")) + vip("x", "203.0.113.1", "a") + vip("y", "203.0.113.2", "a")
	one := build(t, nil, text)
	if one.vip(t, "x").Table != one.vip(t, "y").Table {
		t.Error("two VIPs with the same members have two tables")
	}
	two := build(t, one, text+pool("b", backend("10.0.0.3"))+vip("z", "203.0.113.3", "b"))
	if one.vip(t, "x").Table != two.vip(t, "x").Table {
		t.Error("an unchanged table was built again")
	}
}

// Every combination of families finds its tunnel, with the right source.
func TestFourMixes(t *testing.T) {
	p := build(t, nil, pool("four", backend("10.0.0.1"))+pool("six", backend("2001:db8:b::1"))+
		vip("v44", "203.0.113.1", "four")+vip("v46", "203.0.113.2", "six")+
		vip("v64", "2001:db8:cafe::1", "four")+vip("v66", "2001:db8:cafe::2", "six"))
	for name, overhead := range map[string]int{"v44": 24, "v46": 44, "v64": 24, "v66": 44} {
		v := p.vip(t, name)
		k := flow.Key{Proto: 6, Ports: 80}
		k.SetDst(v.Prefix.Addr())
		if id := p.Snapshot.Lookup(&k); id != int(v.Service) {
			t.Fatalf("%s: lookup gives %d, want %d", name, id, v.Service)
		}
		e, valid := p.Snapshot.Endpoint(p.Snapshot.Service(v.Service).Pick(&k), v.Service)
		if !valid {
			t.Fatalf("%s: no endpoint", name)
		}
		if got := p.Snapshot.Tunnel(e.Tunnel).MaxInner; int(got) != 1600-overhead {
			t.Errorf("%s: largest inner packet %d, want %d", name, got, 1600-overhead)
		}
	}
}

func TestBackendInTheLongestSubnetsPort(t *testing.T) {
	text := strings.Replace(head, "[conntrack]", `[[port]]
name = "lan"
device = "net_null1"
addresses = ["10.0.0.1/8"]
next_hop_mac = "02:00:00:00:00:02"
mtu = 1600
[[port]]
name = "rack"
device = "net_null2"
addresses = ["10.1.0.1/16"]
next_hop_mac = "02:00:00:00:00:03"
mtu = 1600
[conntrack]`, 1) + pool("a", backend("10.1.2.3"), backend("10.2.0.1"), backend("172.16.0.1")) + vip("x", "203.0.113.1", "a")
	c, _, err := config.Parse("test.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Build(Input{Config: c, Ports: make3(), Generation: 1, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	v := p.vip(t, "x")
	for i, want := range []uint16{2, 1, 0} { // backends are by address
		e, _ := p.Snapshot.Endpoint(v.Backends[i].Endpoint, v.Service)
		if got := p.Snapshot.Tunnel(e.Tunnel).Port; got != want {
			t.Errorf("backend %v leaves by port %d, want %d", v.Backends[i].Address, got, want)
		}
	}
}

func make3() []Port { return []Port{ports[0], ports[0], ports[0]} }

// A reload that adds or removes one of 10,000 backends of 1,000 VIPs, whose
// other tables are there already: with one way to each backend, and with eight.
func BenchmarkRebuildOneOf10000(b *testing.B) {
	var text [2]strings.Builder
	for alt := range text {
		for i := range 1000 {
			var list []string
			for j := range 10 {
				if n := i*10 + j; alt == 0 || n != 777 {
					list = append(list, backend(fmt.Sprintf("10.%d.%d.%d", n>>14, n>>7&127, n&127)))
				}
			}
			text[alt].WriteString(pool(fmt.Sprintf("p%d", i), list...) + vip(fmt.Sprintf("v%d", i), fmt.Sprintf("203.0.%d.%d", 112+i>>7, i&127), fmt.Sprintf("p%d", i)))
		}
	}
	configs := [2]*config.Config{parse(b, text[0].String()), parse(b, text[1].String())}
	for _, c := range []struct {
		name    string
		sources []netip.Addr
		hops    []NextHop
	}{{"ways=1", nil, nil}, {"ways=8", sourcesOf(4), weighted(1, 1)}} {
		b.Run(c.name, func(b *testing.B) {
			for i := range configs {
				configs[i].Node.SourcePool4 = c.sources
			}
			in := Input{Config: configs[0], Ports: ports, Workers: 1, NextHops: func(netip.Addr) []NextHop { return c.hops }}
			previous, err := Build(in) // makes all tables
			if err != nil {
				b.Fatal(err)
			}
			for i := 1; b.Loop(); i++ {
				in.Config, in.Generation, in.Previous = configs[i&1], uint64(i), previous
				if previous, err = Build(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
