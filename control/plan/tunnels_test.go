package plan

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"guideway/control/config"
	"guideway/fragments"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// twoPorts has a pool of three sources, a port with a fixed next hop, one that
// learns, and a fleet of three.
var twoPorts = strings.NewReplacer(
	"[dpdk]", "source_pool = [\"192.0.2.128/31\", \"192.0.2.140\", \"2001:db8::128\"]\n[dpdk]",
	"[conntrack]", `[[port]]
name = "lan"
device = "net_null1"
addresses = ["10.1.0.1/16"]
kernel = "gw-lan"
vlan = 7
mtu = 9000
[fragments]
nodes = [{ name = "lb2", address = "192.0.2.12" }, { name = "lb1", address = "192.0.2.11" }, { name = "lb0", address = "10.1.0.10" }]
[conntrack]`).Replace(head)

func buildTwoPorts(t testing.TB, in Input, text string) *Plan {
	t.Helper()
	c, _, err := config.Parse("test.toml", []byte(twoPorts+text))
	if err != nil {
		t.Fatal(err)
	}
	in.Config, in.Workers = c, 1
	in.Ports = []Port{ports[0], {MAC: [6]byte{2, 0, 0, 0, 0, 0x12}, MTU: 9000}}
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// learnt gives two neighbours on the second port for what is there but for
// 10.1.0.66, which is silent.
func learnt(dst netip.Addr) []NextHop {
	if !netip.MustParsePrefix("10.1.0.0/16").Contains(dst) || dst == netip.MustParseAddr("10.1.0.66") {
		return nil
	}
	return []NextHop{{1, mac(2), 1}, {1, mac(1), 2}}
}

// show puts the tunnels of a path into words, as their headers have it.
func (p *Plan) show(path fib.Path) (all []string) {
	for i := range uint32(path.Ways) {
		tunnel := p.Snapshot.Tunnel(path.Tunnel + i)
		block := make([]byte, fib.TunnelBlock+64)
		tunnel.Write((*[fib.TunnelBlock]byte)(block), 64, 0, 0)
		frame := block[fib.TunnelBlock-int(tunnel.Len):]
		vlan := uint16(0)
		if frame[12] == 0x81 {
			vlan = uint16(frame[14])<<8 | uint16(frame[15])
		}
		var h packet.Headers
		if r := packet.Parse(frame, vlan, &h); r != packet.Whole || h.Proto != packet.ProtoGRE {
			panic(fmt.Sprintf("packet.Parse says %d of % x", r, frame))
		}
		var k flow.Key
		k.Read(frame, &h)
		gre := frame[h.L4:]
		all = append(all, fmt.Sprintf("port %d vlan %d mac %x>%x %v>%v gre %x max %d", tunnel.Port, vlan, frame[6:12], frame[:6], k.Src(), k.Dst(), gre[:4], tunnel.MaxInner))
	}
	return all
}

func (p *Plan) pathOf(t testing.TB, vip, address string) fib.Path {
	t.Helper()
	e, valid := p.Snapshot.EndpointOf(p.endpointOf(t, vip, address))
	if !valid {
		t.Fatalf("VIP %q: the snapshot does not have %s", vip, address)
	}
	return e.Path
}

func sameLines(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const poolOf4 = `[[pool]]
name = "a"
backends = [{ address = "10.1.0.5" }, { address = "10.1.0.66" }, { address = "172.16.0.1" }, { address = "2001:db8:b::1" }]
`

// Every source by every next hop, as often as its weight says; what nothing is
// learnt of goes by the fixed next hop.
func TestWaysOfABackend(t *testing.T) {
	p := buildTwoPorts(t, Input{NextHops: learnt}, poolOf4+vip("x", "203.0.113.1", "a")+vip("y", "2001:db8:cafe::1", "a"))
	lan := "port 1 vlan 7 mac 020000000012>02000000010%d 192.0.2.%d>10.1.0.5 gre 0000%s max 8976"
	for vip, inner := range map[string]string{"x": "0800", "y": "86dd"} {
		sameLines(t, "on the port that learns", p.show(p.pathOf(t, vip, "10.1.0.5")),
			fmt.Sprintf(lan, 1, 128, inner), fmt.Sprintf(lan, 1, 129, inner), fmt.Sprintf(lan, 1, 140, inner),
			fmt.Sprintf(lan, 1, 128, inner), fmt.Sprintf(lan, 1, 129, inner), fmt.Sprintf(lan, 1, 140, inner),
			fmt.Sprintf(lan, 2, 128, inner), fmt.Sprintf(lan, 2, 129, inner), fmt.Sprintf(lan, 2, 140, inner))
		for _, address := range []string{"10.1.0.66", "172.16.0.1"} {
			wan := "port 0 vlan 0 mac 020000000011>020000000001 192.0.2.%d>%s gre 0000%s max 1576"
			sameLines(t, "by the fixed next hop", p.show(p.pathOf(t, vip, address)),
				fmt.Sprintf(wan, 128, address, inner), fmt.Sprintf(wan, 129, address, inner), fmt.Sprintf(wan, 140, address, inner))
		}
		sameLines(t, "IPv6", p.show(p.pathOf(t, vip, "2001:db8:b::1")),
			"port 0 vlan 0 mac 020000000011>020000000001 2001:db8::128>2001:db8:b::1 gre 0000"+inner+" max 1556")
	}
	if len(p.Unreachable) != 0 {
		t.Errorf("unreachable: %v", p.Unreachable)
	}
}

// VIPs of one family have the tunnels to a backend in common.
func TestVIPsShareTunnels(t *testing.T) {
	p := buildTwoPorts(t, Input{NextHops: learnt}, poolOf4+vip("x", "203.0.113.1", "a")+vip("y", "203.0.113.2", "a")+vip("z", "2001:db8:cafe::1", "a"))
	seen := map[fib.Path]string{}
	for _, b := range p.vip(t, "x").Backends {
		address := b.Address.String()
		x, y, z := p.pathOf(t, "x", address), p.pathOf(t, "y", address), p.pathOf(t, "z", address)
		if x != y || x == z || x.Ways == 0 {
			t.Errorf("%s: paths %v, %v and %v", address, x, y, z)
		}
		for _, path := range []fib.Path{x, z} {
			if other, taken := seen[path]; taken {
				t.Errorf("%s has the path %v of %s", address, path, other)
			}
			seen[path] = address
		}
	}
}

func TestDestinationsAndUnreachable(t *testing.T) {
	text := strings.Replace(poolOf4, "}]", "}, { address = \"10.1.0.7\", state = \"drain\" }, { address = \"10.1.0.8\", state = \"off\" }]", 1) +
		vip("x", "203.0.113.1", "a") + vip("y", "203.0.113.2", "a")
	list := func(all []netip.Addr) string { return fmt.Sprint(all) }
	const destinations = "[10.1.0.5 10.1.0.7 10.1.0.10 10.1.0.66 172.16.0.1 192.0.2.12 2001:db8:b::1]"
	p := buildTwoPorts(t, Input{NextHops: learnt}, text)
	if got := list(p.Destinations); got != destinations || len(p.Unreachable) != 0 {
		t.Errorf("destinations %s\nwant         %s\nunreachable %v", got, destinations, p.Unreachable)
	}

	// Where no next hop is fixed, some have none.
	c, _, err := config.Parse("test.toml", []byte(strings.Replace(twoPorts, "next_hop_mac", "kernel = \"gw-wan\" #", 1)+text))
	if err != nil {
		t.Fatal(err)
	}
	p, err = Build(Input{Config: c, Ports: []Port{ports[0], ports[0]}, NextHops: learnt, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := list(p.Unreachable), "[10.1.0.66 172.16.0.1 192.0.2.12 2001:db8:b::1]"; got != want || list(p.Destinations) != destinations {
		t.Errorf("unreachable %s, want %s, of %v", got, want, p.Destinations)
	}
	for address, ways := range map[string]uint16{"10.1.0.5": 9, "10.1.0.7": 9, "10.1.0.66": 0, "172.16.0.1": 0, "2001:db8:b::1": 0} {
		if got := p.pathOf(t, "x", address); got.Ways != ways {
			t.Errorf("%s has the path %v, want %d ways", address, got, ways)
		}
	}
	if a, b := p.Snapshot.Node(0, false), p.Snapshot.Node(2, true); a.Ways != 3 || b.Ways != 0 {
		t.Errorf("nodes have paths %v and %v", a, b)
	}

	// Nobody to ask, and no fixed next hop.
	p, err = Build(Input{Config: c, Ports: []Port{ports[0], ports[0]}, Workers: 1})
	if err != nil || list(p.Unreachable) != destinations {
		t.Errorf("unreachable %v, %v", p.Unreachable, err)
	}
}

// To other nodes: marked, for both inner families, from this node's address in
// the list, whatever pool there is.
func TestNodes(t *testing.T) {
	p := buildTwoPorts(t, Input{NextHops: learnt}, "")
	if got, want := fmt.Sprint(p.Owners.Nodes(), p.Owners.Self()), "[10.1.0.10 192.0.2.11 192.0.2.12] 1"; got != want {
		t.Fatalf("nodes and self are %s, want %s", got, want)
	}
	for ipv6, inner := range map[bool]string{false: "0800", true: "86dd"} {
		lan := "port 1 vlan 7 mac 020000000012>02000000010%d 192.0.2.11>10.1.0.10 gre 0100%s max 8976"
		sameLines(t, "node 0", p.show(p.Snapshot.Node(0, ipv6)), fmt.Sprintf(lan, 1, inner), fmt.Sprintf(lan, 1, inner), fmt.Sprintf(lan, 2, inner))
		sameLines(t, "this node", p.show(p.Snapshot.Node(1, ipv6)))
		sameLines(t, "node 2", p.show(p.Snapshot.Node(2, ipv6)), "port 0 vlan 0 mac 020000000011>020000000001 192.0.2.11>192.0.2.12 gre 0100"+inner+" max 1576")
	}
	alone := build(t, nil, "")
	if self := alone.Snapshot.Node(0, false); len(alone.Owners.Nodes()) != 0 || self.Ways != 0 || alone.Owners.Shares()[0] != 1 {
		t.Errorf("a node on its own has nodes %v, and the path %v to itself", alone.Owners.Nodes(), self)
	}
}

// What a node that is down owned goes to the rest, and no datagram else moves.
// While nothing changes, the owners are not made anew.
func TestOwners(t *testing.T) {
	down := func(addresses ...string) func(netip.Addr) bool {
		return func(a netip.Addr) bool { return slices.Contains(addresses, a.String()) }
	}
	all := buildTwoPorts(t, Input{}, "")
	want, err := fragments.NewOwners([]fragments.Node{
		{Addr: netip.MustParseAddr("192.0.2.12"), Down: true}, {Addr: netip.MustParseAddr("192.0.2.11")}, {Addr: netip.MustParseAddr("10.1.0.10")},
	}, netip.MustParseAddr("192.0.2.11"))
	if err != nil {
		t.Fatal(err)
	}
	lost := buildTwoPorts(t, Input{Previous: all, Down: down("192.0.2.12")}, "")
	if !reflect.DeepEqual(lost.Owners, want) || lost.Owners.Shares()[2] != 0 || all.Owners.Shares()[2] == 0 {
		t.Errorf("shares %v, before %v", lost.Owners.Shares(), all.Owners.Shares())
	}
	for name, c := range map[string]struct {
		previous *Plan
		in       Input
		kept     bool
	}{
		"nothing new":            {lost, Input{Down: down("192.0.2.12")}, true},
		"new next hops":          {lost, Input{Down: down("192.0.2.12"), NextHops: learnt}, true},
		"this node said to be":   {all, Input{Down: down("192.0.2.11")}, true},
		"one more":               {lost, Input{Down: down("192.0.2.12", "10.1.0.10")}, false},
		"another":                {lost, Input{Down: down("10.1.0.10")}, false},
		"back again":             {lost, Input{}, false},
		"nobody down, as before": {all, Input{Down: down()}, true},
	} {
		c.in.Previous = c.previous
		if p := buildTwoPorts(t, c.in, ""); (p.Owners == c.previous.Owners) != c.kept {
			t.Errorf("%s: kept %v", name, !c.kept)
		}
	}
	other := build(t, all, "")
	if other.Owners == all.Owners || len(other.Owners.Nodes()) != 0 {
		t.Errorf("without a list, the owners are of %v", other.Owners.Nodes())
	}
	if again := build(t, other, ""); again.Owners != other.Owners {
		t.Error("without a list, they are made anew")
	}
	renamed := strings.NewReplacer(`name   = "lb1"`, `name = "lb2"`, "192.0.2.11", "192.0.2.12", "192.0.2.12", "192.0.2.11").Replace(twoPorts)
	renamed = strings.NewReplacer(`"lb2", address`, `"lb1", address`, `"lb1", address`, `"lb2", address`).Replace(renamed)
	c, _, err := config.Parse("test.toml", []byte(renamed))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Build(Input{Config: c, Ports: []Port{ports[0], ports[0]}, Previous: all, Workers: 1})
	if err != nil || p.Owners == all.Owners || p.Owners.Self() != 2 {
		t.Errorf("this node has another address, but is %d, %v", p.Owners.Self(), err)
	}
	slices.Reverse(c.Fragments.Nodes)
	again, err := Build(Input{Config: c, Ports: []Port{ports[0], ports[0]}, Previous: p, Workers: 1})
	if err != nil || again.Owners != p.Owners {
		t.Errorf("the list is in another order, and they are made anew (%v)", err)
	}
}

// What only next hops and living nodes change leaves all numbers as they are.
func TestNextHopsChangeNoNumbers(t *testing.T) {
	text := poolOf4 + vip("x", "203.0.113.1", "a") + vip("y", "2001:db8:cafe::1", "a")
	one := buildTwoPorts(t, Input{Generation: 1}, text)
	two := buildTwoPorts(t, Input{Generation: 2, Previous: one, NextHops: learnt, Down: func(netip.Addr) bool { return true }}, text)
	if !reflect.DeepEqual(one.VIPs, two.VIPs) {
		t.Errorf("before\n%v\nafter\n%v", one.VIPs, two.VIPs)
	}
	if one.pathOf(t, "x", "10.1.0.5").Ways == two.pathOf(t, "x", "10.1.0.5").Ways {
		t.Error("nothing changed at all")
	}
}

func TestServicesAsConfigured(t *testing.T) {
	p := build(t, nil, pool("a", backend("10.0.0.1"))+
		vip("plain", "203.0.113.1", "a")+
		vip("all", "203.0.113.2", "a")+"fragments = true\ntoo_big = \"drop\"\nmss = 1396\n")
	for name, want := range map[string]fib.Service{
		"plain": {Refragment: true},
		"all":   {Fragments: true, MSS: 1396},
	} {
		v := p.vip(t, name)
		if got := p.Snapshot.Service(v.Service); got.Fragments != want.Fragments || got.Refragment != want.Refragment || got.MSS != want.MSS {
			t.Errorf("%s: %+v", name, got)
		}
		k := flow.Key{Proto: 17}
		k.SetDst(v.Prefix.Addr())
		if got := p.Snapshot.Fragments(&k); got != want.Fragments {
			t.Errorf("%s: fragments are forwarded: %v", name, got)
		}
	}
}
