package plan

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"guideway/control/config"
	"guideway/fragments"
	"guideway/lcore"
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/pmd/memport"
)

const explainText = `
[node]
name   = "lb1"
source = ["192.0.2.11", "2001:db8::11"]
source_pool = ["192.0.2.16/29"]
[dpdk]
lcores = [1]
[[port]]
name = "mem"
device = "net_null0"
addresses = ["192.0.2.11/24", "2001:db8::11/64"]
next_hop_mac = "02:00:00:00:01:00"
mtu = 1500
[fragments]
nodes = [{ name = "lb1", address = "192.0.2.11" }, { name = "lb2", address = "192.0.2.12" }]
[[pool]]
name = "web"
backends = [{ address = "10.0.0.1" }, { address = "10.0.0.2" }, { address = "10.0.0.3", state = "drain" }, { address = "2001:db8:1::4" }]
[[pool]]
name = "idle"
backends = [{ address = "10.0.0.8", state = "drain" }]
[[vip]]
name = "www"
address = "203.0.113.1"
ports = ["80", "443"]
pools = ["web"]
fragments = true
table_size = 1009
[[vip]]
name = "quic"
address = "203.0.113.1"
protocol = "udp"
ports = ["443"]
pools = ["web"]
fragments = true
table_size = 1009
hash = "source"
[[vip]]
name = "six"
address = "2001:db8:2::1"
ports = ["80"]
pools = ["web"]
table_size = 1009
[[vip]]
name = "net"
address = "203.0.113.0/25"
protocol = "any"
pools = ["web"]
icmp_echo = "forward"
too_big = "drop"
table_size = 1009
hash = "3-tuple"
[[vip]]
name = "down"
address = "198.18.0.1"
ports = ["80"]
pools = ["idle"]
when_down = "unreachable"
icmp_echo = "drop"
[[vip]]
name = "out"
address = "198.18.0.2"
ports = ["80"]
pools = ["idle"]
[[vip]]
name = "one"
address = "198.18.0.3"
ports = ["80"]
pools = ["web"]
table_size = 1009
`

// A bench is one core that polls a port in memory by a plan.
type bench struct {
	t      *testing.T
	config *config.Config
	plan   *Plan
	table  *conntrack.Table
	port   *memport.Port
	group  *lcore.Group
}

func newBench(t *testing.T) *bench {
	c, _, err := config.Parse("test.toml", []byte(explainText))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, config: c, port: memport.New(memport.Config{Queues: 1, MTU: 1500, Frames: 4096})}
	in := Assume(c, nil)
	in.Ports[0].MAC = b.port.Info().MAC
	in.Overrides = map[Target]Override{{"one", netip.MustParseAddr("10.0.0.2")}: Killed}
	if b.plan, err = Build(in); err != nil {
		t.Fatal(err)
	}
	b.table, err = conntrack.New(conntrack.Config{Flows: 4096, Seed: flow.Seed{A: 1, B: 2, C: 3},
		Timeouts: conntrack.Timeouts{TCPNew: time.Minute, TCPEstablished: time.Hour, TCPClosing: time.Minute, UDP: time.Minute, Other: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := fragments.New(fragments.Config{Datagrams: 64, Held: 16, Bytes: 1 << 20, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	w := lcore.New(lcore.Config{CPU: 1, Conntrack: b.table, Fragments: pieces, Ports: []lcore.PortQueue{{Queue: b.port.Queue(0)}}, Idle: time.Sleep})
	b.group = lcore.NewGroup(w)
	b.group.Publish(lcore.Program{Snapshot: b.plan.Snapshot, Owners: b.plan.Owners,
		ICMP: lcore.ICMP{Source4: c.Node.Source4, Source6: c.Node.Source6, Rate: 100_000, Refuse: true}})
	done := make(chan struct{})
	go func() { w.Run(); close(done) }()
	t.Cleanup(func() { b.group.Stop(); <-done; b.port.Close() })
	if err := b.group.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return b
}

// verdicts returns how frames have ended so far.
func (b *bench) verdicts() (v [lcore.Verdicts]uint64, received uint64) {
	b.t.Helper()
	reports, err := b.group.Reports(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return reports[0].Verdicts, reports[0].Received
}

// send gives a frame to the core, and returns its verdict and what was sent.
func (b *bench) send(frame []byte) (verdict string, sent [][]byte) {
	b.t.Helper()
	before, n := b.verdicts()
	b.port.Inject(0, frame)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Microsecond) {
		after, m := b.verdicts()
		if m == n {
			if time.Now().After(deadline) {
				b.t.Fatal("the frame is not received")
			}
			continue
		}
		for v := range lcore.Verdicts {
			if after[v] > before[v] {
				return v.String(), b.port.Sent(0)
			}
		}
		return "none", nil
	}
}

// frame makes what a question is about.
func frame(t *testing.T, q Question, df bool) []byte {
	t.Helper()
	k := q.Key
	eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 9, 9}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	var stack []gopacket.SerializableLayer
	var ip gopacket.NetworkLayer
	header := 20
	if k.IPv6 {
		eth.EthernetType, header = layers.EthernetTypeIPv6, 40
		six := &layers.IPv6{Version: 6, HopLimit: 60, NextHeader: layers.IPProtocol(k.Proto), SrcIP: k.Src().AsSlice(), DstIP: k.Dst().AsSlice()}
		ip, stack = six, append(stack, eth, six)
	} else {
		eth.EthernetType = layers.EthernetTypeIPv4
		four := &layers.IPv4{Version: 4, TTL: 60, Id: uint16(q.ID), Protocol: layers.IPProtocol(k.Proto), SrcIP: k.Src().AsSlice(), DstIP: k.Dst().AsSlice()}
		if df {
			four.Flags = layers.IPv4DontFragment
		}
		if q.Fragment {
			four.Flags, four.FragOffset = layers.IPv4MoreFragments, uint16(q.Offset/8)
		}
		ip, stack = four, append(stack, eth, four)
	}
	body := make([]byte, max(q.Size-header, 64))
	switch k.Proto {
	case 6:
		tcp := &layers.TCP{SrcPort: layers.TCPPort(k.SrcPort()), DstPort: layers.TCPPort(k.DstPort()), SYN: q.Syn, ACK: !q.Syn, DataOffset: 5}
		tcp.SetNetworkLayerForChecksum(ip)
		stack, body = append(stack, tcp), body[20:]
	case 17:
		udp := &layers.UDP{SrcPort: layers.UDPPort(k.SrcPort()), DstPort: layers.UDPPort(k.DstPort())}
		udp.SetNetworkLayerForChecksum(ip)
		stack, body = append(stack, udp), body[8:]
	case 1:
		stack, body = append(stack, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0)}), body[8:]
	case 132:
		binary.BigEndian.PutUint32(body, k.Ports)
	}
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append(stack, gopacket.Payload(body))...); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// asking makes a question as the console does.
func asking(proto uint8, src, dst string) Question {
	end := func(s string) netip.AddrPort {
		if a, err := netip.ParseAddr(s); err == nil {
			return netip.AddrPortFrom(a, 0)
		}
		return netip.MustParseAddrPort(s)
	}
	return Question{Key: flow.NewKey(proto, end(src), end(dst))}
}

// TestExplainIsWhatCoresDo sends packets through a real core and asks about each:
// the outcome is the core's verdict, and the backend and the way are those of the
// frame that comes out.
func TestExplainIsWhatCoresDo(t *testing.T) {
	b := newBench(t)
	seen := map[string]int{}
	try := func(q Question, df bool) {
		t.Helper()
		way := q.WayKey()
		q.Hashed, q.Hash = true, b.table.Hash(&way)
		e := b.plan.Explain(b.config, q)
		verdict, sent := b.send(frame(t, q, df))
		seen[e.Outcome]++
		if verdict != e.Outcome {
			t.Errorf("%+v: the core says %s; explained as %s\n%+v", q, verdict, e.Outcome, e.Steps)
			return
		}
		if verdict != "forwarded" && verdict != "redirected" {
			return
		}
		taken := e.Ways[0]
		for _, w := range e.Ways {
			if w.Taken {
				taken = w
			}
		}
		p := gopacket.NewPacket(sent[0], layers.LayerTypeEthernet, gopacket.Default)
		from, to := p.NetworkLayer().NetworkFlow().Endpoints()
		if got := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet).DstMAC.String(); got != taken.NextHop || from.String() != taken.Source.String() || to.String() != taken.Dest.String() {
			t.Errorf("%+v: sent from %v to %v by %s; explained as %+v", q, from, to, got, taken)
		}
		if want := e.Backend; verdict == "forwarded" && to.String() != want.String() {
			t.Errorf("%+v: sent to %v; explained as %v", q, to, want)
		}
	}
	for i := range 40 {
		client := fmt.Sprintf("198.51.100.%d:%d", i+1, 1000+i)
		bare, _, _ := strings.Cut(client, ":")
		try(asking(6, client, "203.0.113.1:80"), false)
		try(asking(17, client, "203.0.113.1:443"), false)
		try(asking(132, client, "203.0.113.1:443"), false)
		try(asking(6, client, "203.0.113.77:1"), false)
		try(asking(6, client, "198.18.0.3:80"), false)
		try(asking(6, fmt.Sprintf("[2001:db8:9::%d]:7", i+1), "[2001:db8:2::1]:80"), false)
		first := asking(17, client, "203.0.113.1:443")
		first.Fragment, first.ID = true, 7
		try(first, false)
		echo := asking(1, bare, "203.0.113.5")
		try(echo, false)
	}
	big := func(q Question) Question { q.Size = 1490; return q }
	for _, c := range []struct {
		q  Question
		df bool
	}{
		{asking(6, "198.51.100.1:1", "198.18.0.1:80"), false},
		{asking(6, "198.51.100.1:1", "198.18.0.2:80"), false},
		{asking(6, "198.51.100.1:1", "198.18.0.2:81"), false},
		{asking(6, "198.51.100.1:1", "192.0.2.200:81"), false},
		{asking(1, "198.51.100.1", "203.0.113.1"), false},
		{asking(1, "198.51.100.1", "198.18.0.1"), false},
		{asking(47, "198.51.100.1", "203.0.113.1"), false},
		{big(asking(6, "198.51.100.1:2", "203.0.113.1:80")), false},
		{big(asking(6, "198.51.100.1:2", "203.0.113.9:80")), false},
		{big(asking(6, "[2001:db8:9::1]:9", "[2001:db8:2::1]:80")), false},
		{func() Question { q := asking(17, "198.51.100.1:1", "198.18.0.2:80"); q.Fragment = true; return q }(), false},
	} {
		try(c.q, c.df)
	}
	for _, outcome := range []string{"forwarded", "redirected", "vip_unreachable", "no_backend", "port_refused", "not_vip", "echo_answered", "icmp_dropped", "tunnelled",
		"too_big", "too_big_answered", "fragment_dropped"} {
		if seen[outcome] == 0 {
			t.Errorf("nothing ended as %s: %v", outcome, seen)
		}
	}
}

// TestExplainEntries: what the connection table remembers comes before the lookup
// table, as long as the backend takes it.
func TestExplainEntries(t *testing.T) {
	b := newBench(t)
	www, _ := b.plan.find("www")
	one, _ := b.plan.find("one")
	for _, c := range []struct {
		name       string
		vip        *VIP
		backend    string
		entry      func(fib.Value) fib.Value
		syn        bool
		found, why string
		kept       bool
	}{
		{name: "serving", vip: www, backend: "10.0.0.2", found: "10.0.0.2", why: "the backend is serving", kept: true},
		{name: "draining", vip: www, backend: "10.0.0.3", found: "10.0.0.3", why: "draining: the file says so", kept: true},
		{name: "draining, SYN", vip: www, backend: "10.0.0.3", syn: true, found: "passed over", why: "opens a new connection"},
		{name: "killed", vip: one, backend: "10.0.0.2", found: "passed over", why: "down: an operator has it killed"},
		{name: "gone", vip: www, backend: "10.0.0.2", entry: func(v fib.Value) fib.Value { return fib.MakeValue(v.ID(), v.Generation()+1) }, found: "void", why: "does not have any more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := asking(6, "198.51.100.1:1", c.vip.Prefix.Addr().String()+":80")
			q.Syn = c.syn
			for _, one := range c.vip.Backends {
				if one.Address.String() == c.backend {
					q.Entry = one.Endpoint
				}
			}
			if c.entry != nil {
				q.Entry = c.entry(q.Entry)
			}
			e := b.plan.Explain(b.config, q)
			step := e.Steps[1]
			if step.Stage != "entry" || step.Found != c.found || !strings.Contains(step.Why, c.why) {
				t.Errorf("%+v, want %q, %q", step, c.found, c.why)
			}
			if kept := e.Slot < 0; kept != c.kept || kept && e.Backend.String() != c.backend {
				t.Errorf("slot %d, backend %v", e.Slot, e.Backend)
			}
		})
	}
}
