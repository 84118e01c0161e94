package machine

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"

	"guideway/maglev/packet"
)

// An Arrival is packets of one kind that came to this machine as protocol 47,
// before any tunnel interface judged them.
type Arrival struct {
	From    netip.Addr `json:"from"`         // outer source: the load balancer
	To      netip.Addr `json:"to,omitzero"`  // inner destination: the VIP
	Odd     string     `json:"odd,omitzero"` // why there is no To: it is nothing that guidewayd sends
	Packets uint64     `json:"packets"`
}

// maxArrivals bounds what Probe remembers: whoever floods a machine with GRE
// does not fill its memory.
const maxArrivals = 1000

// Probe listens for protocol 47 of both families until ctx ends, and counts what
// comes, by sender and VIP. The kernel's tunnels get their packets all the same. It
// takes CAP_NET_RAW. What exceeds the bound of its memory is in dropped.
func Probe(ctx context.Context) (list []Arrival, dropped uint64, err error) {
	type came struct {
		from netip.Addr
		to   netip.Addr
		odd  string
	}
	arrivals := make(chan came, 64)
	counted := map[came]uint64{}
	var open []net.PacketConn
	done := make(chan struct{}, 2)
	for _, network := range []string{"ip4:47", "ip6:47"} {
		conn, listenErr := net.ListenPacket(network, "")
		if listenErr != nil {
			err = errors.Join(err, listenErr)
			continue
		}
		open = append(open, conn)
	}
	for _, conn := range open {
		go func() {
			defer func() { done <- struct{}{} }()
			buf := make([]byte, 256) // headers are all that matters
			for {
				// Of IPv4, Go takes the outer header off.
				n, src, err := conn.ReadFrom(buf)
				if err != nil {
					return // closed
				}
				from, _ := netip.AddrFromSlice(src.(*net.IPAddr).IP)
				to, odd := innerDestination(buf[:n])
				arrivals <- came{from.Unmap(), to, odd}
			}
		}()
	}
	context.AfterFunc(ctx, func() {
		for _, conn := range open {
			conn.Close()
		}
	})
	for running := len(open); running > 0; {
		select {
		case a := <-arrivals:
			if _, known := counted[a]; known || len(counted) < maxArrivals {
				counted[a]++
			} else {
				dropped++
			}
		case <-done:
			running--
		}
	}
	for a, n := range counted {
		list = append(list, Arrival{a.from, a.to, a.odd, n})
	}
	slices.SortFunc(list, func(a, b Arrival) int {
		if c := a.From.Compare(b.From); c != 0 {
			return c
		}
		return a.To.Compare(b.To)
	})
	if len(open) > 0 && !errors.Is(err, net.ErrClosed) {
		err = nil // one family is enough on a machine that has one
	}
	return list, dropped, err
}

// innerDestination reads where the packet in a GRE packet (RFC 2784 without
// options, as guidewayd sends it) goes to. Anybody may have sent it.
func innerDestination(gre []byte) (to netip.Addr, odd string) {
	if len(gre) < packet.GRELen {
		return to, "cut short"
	}
	if flags := binary.BigEndian.Uint16(gre); flags&^packet.GRERecursion != 0 {
		return to, "with GRE options"
	}
	inner := gre[packet.GRELen:]
	const dst4, dst6 = 16, 24 // offsets: RFC 791, 3.1; RFC 8200, 3
	switch protocol := binary.BigEndian.Uint16(gre[packet.GREProtocol:]); {
	case protocol == 0x0800 && len(inner) >= dst4+4:
		return netip.AddrFrom4([4]byte(inner[dst4:])), ""
	case protocol == 0x86DD && len(inner) >= dst6+16:
		return netip.AddrFrom16([16]byte(inner[dst6:])), ""
	case protocol == 0x0800, protocol == 0x86DD:
		return to, "cut short"
	}
	return to, "with something other than IP inside"
}

// JudgeArrivals says what a probe of some seconds means. Without from, any sender
// will do.
func JudgeArrivals(list []Arrival, vips, from []netip.Addr) (findings []Finding) {
	const topic = "probe"
	came := map[netip.Addr]bool{} // VIPs
	heard := map[netip.Addr]bool{}
	for _, a := range list {
		wanted := len(from) == 0 || slices.Contains(from, a.From)
		switch {
		case a.Odd != "":
			findings = append(findings, note(topic, "%d packets from %s %s: not from a load balancer of this kind", a.Packets, a.From, a.Odd))
		case !wanted:
			findings = append(findings, note(topic, "%d packets from %s for %s, which was not named with --from", a.Packets, a.From, a.To).
				advise("if it is a load balancer, its [node].source is another than you thought; if it has a source_pool, see docs/backends.md"))
		case !slices.Contains(vips, a.To):
			findings = append(findings, note(topic, "%d packets from %s for %s, which is none of these VIPs", a.Packets, a.From, a.To))
		default:
			findings = append(findings, fine(topic, "%d packets from %s for %s", a.Packets, a.From, a.To))
			came[a.To] = true
		}
		heard[a.From] = heard[a.From] || a.Odd == ""
	}
	for _, v := range vips {
		if !came[v] {
			findings = append(findings, missing(topic, "no packet for %s has arrived", v).
				advise("if none was sent, send one (guideway trace; a client; a health check with via = \"tunnel\"). Else it is lost before this machine: a firewall for protocol 47,\nan MTU, or the wrong backend address. On the load balancer: show backends, show kernel"))
		}
	}
	for _, node := range from {
		if !heard[node] {
			findings = append(findings, note(topic, "nothing has come from %s", node))
		}
	}
	return findings
}
